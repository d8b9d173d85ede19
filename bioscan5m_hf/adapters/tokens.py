"""Barcodes to vectors through any model of tokens: batches by length, masked padding, mean over the tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..embedding.kmer_model import Barcodes, as_texts
from .base import Adapted


if TYPE_CHECKING:
    import torch

Tokens: TypeAlias = list[int]

MOST_TOKENS = 16_384
"""Ids computed together: 100 barcodes of 160 ids, or 24 of 660 single letters."""

TOKENIZED = 4096
"""Barcodes whose ids are held together."""

PAPER_BASES, PAPER_TOKENS, PAPER_PAD = 660, 512, 1
"""The published baselines filled barcodes with N to 660 bases and then with padding to 512 ids, attended to all of
them, and took the mean over the ids other than 1: bioscan-ml/BarcodeBERT, baselines/datasets.py."""


@dataclass
class TokenEncoder(Adapted):
    """A model over tokens.

    A null or empty barcode has no tokens, and its vector is all zeros. Letters are upper-cased, U is read as T, gaps
    and blanks are dropped (`dna.clean`); what a tokenizer does not know it reads as unknown.

    Args:
        model: takes ids and mask, (n, length), and gives states, (n, length, width).
        tokenize: upper-case barcodes → their ids, special ones among them.
        pad: the id that fills a batch; its states count nowhere.
        width: numbers in a vector.
        dtype: what matrix products are computed in; parameters stay float32.
        paper: do as the published baselines did, padding that leaks into vectors included.
    """

    model: torch.nn.Module
    tokenize: Callable[[Sequence[str]], list[Tokens]]
    _: KW_ONLY
    pad: int
    width: int
    dtype: torch.dtype
    paper: bool = False

    def embed(self, barcodes: Barcodes, batch_size: int = 128) -> NDArray[np.float32]:
        """Give the vectors of barcodes, in their order; equal ones are computed once.

        Args:
            barcodes: n strings of any lengths, nulls allowed.
            batch_size: barcodes computed together, at most.

        Returns:
            float32, shape (n, width).

        Raises:
            ValueError: one string, or other things than strings; a batch of nothing.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: use a positive number")
        coded = as_texts(barcodes, cleaned=not self.paper).dictionary_encode()
        texts = coded.dictionary.to_pylist()
        vectors = np.zeros((len(texts), self.width), np.float32)
        filled = sorted((place for place, text in enumerate(texts) if text), key=lambda place: -len(texts[place]))
        for start in range(0, len(filled), TOKENIZED):
            places = filled[start : start + TOKENIZED]
            tokens = self._tokens([texts[place] for place in places])
            for some in batches([len(ids) for ids in tokens], batch_size):
                vectors[[places[at] for at in some]] = self._compute([tokens[at] for at in some])
        found: NDArray[np.float32] = vectors[np.asarray(coded.indices)]
        return found

    def _tokens(self, texts: list[str]) -> list[Tokens]:
        if not self.paper:
            return self.tokenize(texts)
        whole = self.tokenize([text[:PAPER_BASES].ljust(PAPER_BASES, "N") for text in texts])
        return [ids + [self.pad] * (PAPER_TOKENS - len(ids)) for ids in whole]

    def _compute(self, tokens: list[Tokens]) -> NDArray[np.float32]:
        import torch

        device = next(self.model.parameters()).device
        lengths = torch.tensor([len(ids) for ids in tokens])
        rows = [torch.tensor(ids) for ids in tokens]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.pad)
        attended = torch.arange(ids.shape[1]) < lengths[:, None]
        counted = ids != PAPER_PAD if self.paper else attended
        low = torch.autocast(device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.inference_mode(), low:
            states = self.model(ids.to(device), attended.to(device)).float()
            weights = counted.to(device)[..., None]
            mean = (states * weights).sum(1) / weights.sum(1)
        found: NDArray[np.float32] = mean.cpu().numpy()
        return found


def batches(lengths: Sequence[int], batch_size: int, most: int = MOST_TOKENS) -> Iterator[list[int]]:
    """Divide sequences into batches of about equal length, longest first.

    Args:
        lengths: ids of each.
        batch_size: sequences in a batch, at most.
        most: ids in a batch with its padding, at most, unless one sequence has more.

    Yields:
        The places of a batch's sequences.

    Examples:
        >>> list(batches([3, 9, 4, 3], batch_size=2))
        [[1, 2], [0, 3]]
        >>> list(batches([3, 9, 4, 3], batch_size=9, most=12))
        [[1], [2, 0, 3]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        count = min(batch_size, max(1, most // max(1, lengths[order[start]])))
        yield order[start : start + count]
        start += count
