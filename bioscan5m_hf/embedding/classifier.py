"""A fine-tuned model: names with probabilities, at its own ranks and all above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..taxonomy import LABELS, check_rank
from .checkpoint import CheckpointError, open_checkpoint
from .kmer_model import Barcodes, KmerModel, chosen_device, chosen_dtype
from .lineage import FILE, Groups, Lineages, check_known, group_classes


if TYPE_CHECKING:
    import torch


@dataclass
class BarcodeClassifier(KmerModel):
    """A model that names barcodes.

    Args:
        model: `BarcodeBertForSequenceClassification`.
        k: bases of a k-mer.
        layout: which id means what.
        name: what the model is called.
        revision: its commit on the Hub, or the digest of its weights.
        digest: of its weights.
        max_nucleotides: bases of a barcode that are read.
        folder: where its files are.
        labels: rank → names of its classes.
        lineages: what stands above the names.
        head: the rank whose head is computed.
    """

    _: KW_ONLY
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lineages: Lineages = field(default_factory=Lineages)
    head: str = ""

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        *,
        taxonomy: str | None = None,
    ) -> BarcodeClassifier:
        """Load a fine-tuned model.

        Args:
            name_or_path: a folder, or the id of a repository on the Hub.
            revision: branch, tag or commit on the Hub.
            device: such as `cpu` or `cuda:1`; by default a CUDA device where there is one.
            dtype: `float32` (the default), `bfloat16` or `float16`.
            taxonomy: dataset whose records say what stands above the names; by default the model's `taxonomy.json`.

        Raises:
            CheckpointError: no such model, or one that names nothing.
        """
        from ..models.barcodebert import BarcodeBertForSequenceClassification

        where, precision = chosen_device(device), chosen_dtype(dtype)
        found = open_checkpoint(name_or_path, revision)
        labels = found.config.get("labels")
        if not labels:
            raise CheckpointError(
                f"{found.name} has no names of classes: it is not fine-tuned; name a fine-tuned model, or compare "
                "with key specimens (--keys)"
            )
        try:
            model = BarcodeBertForSequenceClassification.from_pretrained(found.folder, use_safetensors=True)
        except (RuntimeError, ValueError, OSError) as error:
            raise CheckpointError(f"{found.name}: the weights do not fit its config.json: {error}") from error
        own = found.folder / FILE
        if taxonomy is not None:
            lineages = Lineages.from_dataset(taxonomy, labels)
        else:
            lineages = Lineages.load(own) if own.is_file() else Lineages()
        given = {"labels": labels, "lineages": lineages, "head": min(labels, key=LABELS.index)}
        return cls(model.to(device=where, dtype=precision), **found.reading(), **given)

    @property
    def width(self) -> int:
        """Classes of the head that is computed."""
        return len(self.labels[self.head])

    def choose_head(self, rank: str) -> str:
        """Choose the head that tells a rank: its own, or else the closest below, whose probabilities are summed.

        Raises:
            ValueError: there is none, or what stands above its names is not known.
        """
        place = LABELS.index(check_rank(rank))
        below = [head for head in sorted(self.labels, key=LABELS.index) if LABELS.index(head) >= place]
        if not below:
            raise ValueError(
                f"{self.name} names {' and '.join(self.labels)}, nothing as fine as {rank}: ask for a wider rank"
            )
        self.head = below[0]
        if not self.groups(rank).names:
            raise ValueError(
                f"{self.name} names {self.head}, and has no {FILE} that says which {rank} they belong to: give the "
                "dataset it was trained on (--taxonomy bioscan-5m)"
            )
        return self.head

    def groups(self, rank: str) -> Groups:
        """Group the classes of the chosen head at its own or a higher rank."""
        return group_classes(self.lineages, self.head, self.labels[self.head], rank)

    def allowed(self, within: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
        """Tell which classes of the chosen head lie within taxa; those of unknown place do not.

        Args:
            within: rank → names; one of the names of every rank must hold.

        Returns:
            Shape (classes,).

        Raises:
            ValueError: no class lies within such a taxon, a rank finer than the head's, or nothing is left.
        """
        allowed = np.ones(self.width, bool)
        for rank, names in within.items():
            if LABELS.index(rank) > LABELS.index(self.head):
                raise ValueError(
                    f"--within {rank}=…: the model names {self.head}, which is wider: restrict a wider rank"
                )
            groups = self.groups(rank)
            check_known(rank, names, groups.names, f"the classes of {self.name}")
            wanted = [code for code, name in enumerate(groups.names) if name in names]
            allowed &= np.isin(groups.codes, wanted)
        if not allowed.any():
            raise ValueError("no class of the model lies within all these taxa: restrict less")
        return allowed

    def logits(
        self, barcodes: Barcodes, batch_size: int = 512, *, offsets: Sequence[int] = (0,), cleaned: bool = True
    ) -> NDArray[np.float32]:
        """Give the scores of the chosen head's classes; with several offsets, of the embeddings' mean over frames.

        Returns:
            float32, shape (n, classes).
        """
        return self.rows(barcodes, batch_size, offsets=offsets, cleaned=cleaned)

    def _compute(self, tokens: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        found = self.model(input_ids=tokens, attention_mask=attended.long()).logits
        chosen: torch.Tensor = found[self.head] if isinstance(found, Mapping) else found
        return chosen


def softmax(logits: NDArray[np.float32], allowed: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Turn scores into probabilities, among the allowed classes only.

    Args:
        logits: shape (n, classes).
        allowed: shape (classes,); None for all.

    Returns:
        Shape (n, classes); rows sum to 1, and classes that are not allowed have 0.

    Examples:
        >>> softmax(np.zeros((1, 3), np.float32), np.array([True, False, True])).tolist()
        [[0.5, 0.0, 0.5]]
    """
    scores = logits if allowed is None else np.where(allowed, logits, -np.inf)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = scores / scores.sum(axis=1, keepdims=True)
    return probabilities
