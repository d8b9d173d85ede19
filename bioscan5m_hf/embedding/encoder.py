"""Barcodes to vectors: masked-mean embeddings of a BERT over k-mers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .checkpoint import open_checkpoint
from .files import BARCODE, PROCESSID
from .kmer_model import Barcodes, KmerModel, chosen_device, chosen_dtype


if TYPE_CHECKING:
    import torch

EMBEDDING = "embedding"


class BarcodeEncoder(KmerModel):
    """A model that turns barcodes into vectors: the mean of the last hidden states over all k-mers of the barcode.

    A null, an empty barcode or one shorter than k has no k-mer, and its vector is all zeros; nothing gives NaN. A
    barcode without any known k-mer (all N, a protein) has a vector, which means nothing. Bases after the
    `max_nucleotides` (660) that the models were trained with are not read.

    Args:
        model: a stock BERT without pooler.
        k: bases of a k-mer.
        layout: which id means what.
        name: what the model is called.
        revision: its commit on the Hub, or the digest of its weights.
        digest: of its weights, the same wherever they lie.
        max_nucleotides: bases of a barcode that are read.
        folder: where its files are.

    Examples:
        >>> from transformers import BertConfig, BertModel
        >>> from bioscan5m_hf.dna import LAYOUTS
        >>> size = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
        >>> model = BertModel(BertConfig(vocab_size=259, **size), add_pooling_layer=False)
        >>> encoder = BarcodeEncoder(model, k=4, layout=LAYOUTS["standard"])
        >>> vectors = encoder.embed(["ACGTACGTACGT", "acguacgu", ""])
        >>> vectors.shape, vectors.dtype, float(abs(vectors[2]).sum())
        ((3, 8), dtype('float32'), 0.0)
    """

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> BarcodeEncoder:
        """Load an encoder: one of ours, or the authors' `bioscan-ml/BarcodeBERT` as it stands.

        Only data of a repository are read; a tokenizer or model that it has as code is neither fetched nor run.

        Args:
            name_or_path: a folder, or the id of a repository on the Hub.
            revision: branch, tag or commit on the Hub.
            device: such as `cpu` or `cuda:1`; by default a CUDA device where there is one.
            dtype: what is computed in: `float32` (the default), `bfloat16` or `float16`. Vectors are float32.

        Raises:
            CheckpointError: no such model, or one that does not fit.
        """
        where, precision = chosen_device(device), chosen_dtype(dtype)
        found = open_checkpoint(name_or_path, revision)
        model: Any = found.encoder()
        return cls(model.to(device=where, dtype=precision), **found.reading())

    @property
    def width(self) -> int:
        """Numbers in a vector: the model's hidden size."""
        return int(self.model.config.hidden_size)

    def embed(
        self,
        barcodes: Barcodes,
        batch_size: int = 512,
        *,
        offsets: Sequence[int] = (0,),
        cleaned: bool = True,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Give the vectors of barcodes, in their order.

        Equal barcodes are computed once, and batches are made by length, so that next to nothing goes to padding.

        Args:
            barcodes: n strings of any lengths, nulls allowed.
            batch_size: barcodes computed together, at most.
            offsets: bases to drop at the start; with several, the mean over these frames (`offsets=encoder.frames`).
            cleaned: take `dna.clean` of the barcodes first (upper case, U→T, no gaps and blanks), whatever the layout.
                False gives exactly what the model's own tokenizer does.
            progress: show a bar, in a terminal.

        Returns:
            float32, shape (n, hidden).

        Raises:
            ValueError: one string, or other things than strings, or impossible numbers.
        """
        return self.rows(barcodes, batch_size, offsets=offsets, cleaned=cleaned, progress=progress)

    def embed_batches(
        self, batches: Iterable[pa.RecordBatch], batch_size: int = 512, *, offsets: Sequence[int] = (0,)
    ) -> Iterator[pa.RecordBatch]:
        """Give the vectors of a stream of records; never more than one of its batches is held.

        Args:
            batches: with the columns `processid` and `dna_barcode`.
            batch_size: as in `embed`.
            offsets: as in `embed`.

        Yields:
            One batch for each: `processid` (string) and `embedding` (fixed-size list of float32).
        """
        for batch in batches:
            vectors = self.embed(batch.column(BARCODE), batch_size, offsets=offsets)
            ids = batch.column(PROCESSID).cast(pa.string())
            yield pa.record_batch([ids, as_lists(vectors)], names=[PROCESSID, EMBEDDING])

    def _compute(self, tokens: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        from ..models.barcodebert import masked_mean

        hidden = self.model(input_ids=tokens, attention_mask=attended.long()).last_hidden_state
        return masked_mean(hidden.float(), attended)


def as_lists(vectors: NDArray[np.float32]) -> pa.FixedSizeListArray:
    """Give vectors as an Arrow column: (n, hidden) float32 as n lists.

    Examples:
        >>> as_lists(np.zeros((2, 3), np.float32)).type
        FixedSizeListType(fixed_size_list<item: float>[3])
    """
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), vectors.shape[1])
