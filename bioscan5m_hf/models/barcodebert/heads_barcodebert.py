"""Parts of BarcodeBERT around its encoder: pooling, positions, and the head that predicts k-mers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import MaskedLMOutput
from transformers.models.bert.modeling_bert import BertOnlyMLMHead

from .configuration_barcodebert import BarcodeBertConfig


IGNORED = -100
"""A label that does not count (the convention of PyTorch)."""


@dataclass
class BarcodeBertMaskedLMOutput(MaskedLMOutput):
    """What masked models return.

    Args:
        loss: scalar, float32; only with labels.
        logits: `(batch, length, ids or k-mers)`; None with labels, where the head runs at the labelled positions only.
        correct: int64 scalar, labelled positions whose best guess is right; only with labels and outside of training.
        hidden_states: as transformers has it.
        attentions: as transformers has it.
    """

    correct: Tensor | None = None


def masked_mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the hidden states over the attended positions: the embedding of a barcode.

    Args:
        hidden: `(batch, length, width)`, any float type.
        attention_mask: `(batch, length)`, 1 or True where there is a token.

    Returns:
        `(batch, width)` in the type of `hidden`, summed in float32; zeros for a row without tokens, so never NaN.

    Examples:
        >>> hidden = torch.tensor([[[1.0], [3.0], [9.0]], [[5.0], [5.0], [5.0]]])
        >>> masked_mean(hidden, torch.tensor([[1, 1, 0], [0, 0, 0]])).tolist()
        [[2.0], [0.0]]
    """
    mask = attention_mask.bool().unsqueeze(-1)
    total = hidden.masked_fill(~mask, 0).sum(1, dtype=torch.float32)
    return (total / mask.sum(1).clamp(min=1)).to(hidden.dtype)


def packed_positions(chosen: Tensor, multiple: int = 1) -> Tensor:
    """List the positions that are chosen in each row, left-aligned: what `predicted=` and `visible=` take.

    Call it where batches are made: its result has a shape that a compiled model can rely on.

    Args:
        chosen: `(batch, length)`, bool.
        multiple: the width is rounded up to a multiple of it, so that fewer shapes occur.

    Returns:
        `(batch, width)`, int64, ascending; -1 after the last one of a row. The width is at least 1.

    Examples:
        >>> packed_positions(torch.tensor([[False, True, True], [False, False, True]])).tolist()
        [[1, 2], [2, -1]]
    """
    counts = chosen.sum(1)
    # Compiled, the width may not depend on values: nothing is cut then.
    longest = chosen.shape[1] if torch.compiler.is_compiling() else max(1, int(counts.max()) if len(counts) else 0)
    width = -(-longest // multiple) * multiple
    order = chosen.logical_not().to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
    order = functional.pad(order, (0, width - order.shape[1]))
    return order.masked_fill(torch.arange(width, device=chosen.device) >= counts.unsqueeze(1), -1)


def chosen_rows(labels: Tensor, predicted: Tensor | None) -> tuple[Tensor | None, Tensor]:
    """Find the labelled positions of a batch.

    Args:
        labels: `(batch, length)`, int64, `IGNORED` where none.
        predicted: `(batch, width)`, the labelled positions, -1 for none; None looks them up.

    Returns:
        Their indices into the flattened batch, or None where the head runs everywhere (in a compiled model, which
        cannot have a shape that depends on values), and the labels there.
    """
    flat = labels.flatten()
    if predicted is not None:
        start = torch.arange(len(labels), device=labels.device).unsqueeze(1) * labels.shape[1]
        index = (predicted.clamp(min=0) + start).flatten()
        missing = predicted.flatten() < 0
        if flat.device.type == "cpu" and not torch.compiler.is_compiling():
            index = index[~missing]  # elsewhere counting them would wait for the device
            return index, flat.index_select(0, index)
        return index, flat.index_select(0, index).masked_fill(missing, IGNORED)
    if torch.compiler.is_compiling():
        return None, flat
    index = (flat != IGNORED).nonzero().squeeze(1)
    return index, flat.index_select(0, index)


class MaskedHead:
    """What the masked models share: a head over k-mers or ids, and the loss at the positions that need it."""

    config: Any

    def add_head(self, config: BarcodeBertConfig) -> None:
        """Make the head `config.mlm_head` under its stock name."""
        if config.mlm_head == "linear":
            self.dropout = nn.Dropout(config.hidden_dropout_prob)
            self.classifier = nn.Linear(config.hidden_size, 4**config.kmer_size)
        else:
            self.cls = BertOnlyMLMHead(config)
            self._tied_weights_keys = {
                "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
                "cls.predictions.decoder.bias": "cls.predictions.bias",
            }

    @property
    def first_logit(self) -> int:
        """The id that column 0 of the logits stands for."""
        return self.config.layout.first if self.config.mlm_head == "linear" else 0

    def head(self, hidden: Tensor) -> Tensor:
        """Give logits from hidden states `(..., width)`: `(..., 4**k)` by the linear head, `(..., ids)` by BERT's."""
        logits: Tensor = (
            self.classifier(self.dropout(hidden)) if self.config.mlm_head == "linear" else self.cls(hidden)
        )
        return logits

    def score(
        self, hidden: Tensor, labels: Tensor, weights: Tensor | None, count: Tensor | int | None
    ) -> tuple[Tensor, Tensor | None]:
        """Give the loss and, outside of training, how many best guesses are right.

        Args:
            hidden: `(positions, width)`.
            labels: `(positions,)`, ids; `IGNORED`, and ids that are no k-mer where the head has none, do not count.
            weights: `(positions,)` or None, what each position weighs.
            count: by what the sum is divided; None for the number of labels that count.
        """
        target = labels - self.first_logit
        target = target.masked_fill(target < 0, IGNORED)
        logits = self.head(hidden).float()
        if weights is None:
            total = functional.cross_entropy(logits, target, reduction="sum", ignore_index=IGNORED)
        else:
            total = (functional.cross_entropy(logits, target, reduction="none", ignore_index=IGNORED) * weights).sum()
        if count is None:
            count = (target != IGNORED).sum().clamp(min=1)
        training: bool = self.training  # type: ignore[attr-defined]
        return total / count, None if training else (logits.argmax(-1) == target).sum()
