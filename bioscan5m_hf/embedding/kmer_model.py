"""What every model over k-mers needs: barcodes in any mix of lengths in, one row of numbers for each out, in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..dna import MAX_NUCLEOTIDES, Layout, clean, encode_kmers
from ..dna.arrays import chunks


if TYPE_CHECKING:
    import torch

Barcodes: TypeAlias = Sequence[str | None] | pa.Array | pa.ChunkedArray
POOLING = "masked mean"
DTYPES = ("float32", "bfloat16", "float16")
_CPU_TOKENS = 4096
"""k-mers computed together on a CPU: 24 barcodes of 4-mers, whose activations stay in the caches.

One thread embedded 14.4 barcodes a second in batches of 4 to 16 and 13.4 in batches of 128, which take 2 GB.
"""

_EVEN = 0.9
"""Barcodes share a batch while the shortest has this share of the longest's tokens: padding stays under a tenth."""


@dataclass
class KmerModel(ABC):
    """A model that reads barcodes as k-mers and gives one row of numbers for each.

    Args:
        model: takes `input_ids` and `attention_mask`.
        k: bases of a k-mer.
        layout: which id means what.
        name: what the model is called.
        revision: its commit on the Hub, or the digest of its weights.
        digest: of its weights, the same wherever they lie.
        max_nucleotides: bases of a barcode that are read.
        folder: where its files are.
    """

    model: Any
    _: KW_ONLY
    k: int
    layout: Layout
    name: str = ""
    revision: str = ""
    digest: str = ""
    max_nucleotides: int = MAX_NUCLEOTIDES
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.model.eval()

    @property
    @abstractmethod
    def width(self) -> int:
        """Numbers in a row."""

    @property
    def frames(self) -> tuple[int, ...]:
        """All offsets at which a barcode can be cut into k-mers, for `offsets=`."""
        return tuple(range(self.k))

    def origin(self, offsets: Sequence[int] = (0,)) -> dict[str, str]:
        """Say what makes the rows, for a file's metadata: model, revision, weights, frames, package."""
        from .. import __version__

        return {
            "model": self.name,
            "model_revision": self.revision,
            "weights": self.digest,
            "pooling": POOLING,
            "frame_offsets": " ".join(map(str, offsets)),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "package_version": __version__,
        }

    def rows(
        self,
        barcodes: Barcodes,
        batch_size: int = 512,
        *,
        offsets: Sequence[int] = (0,),
        cleaned: bool = True,
        progress: bool = False,
    ) -> NDArray[np.float32]:
        """Give the rows of barcodes, in their order; equal barcodes are computed once.

        Batches are made by length, so that next to nothing goes to padding. With several offsets a row is the mean
        over those at which the barcode has any k-mer.

        Returns:
            float32, shape (n, width).
        """
        check_sizes(batch_size, offsets)
        coded = as_texts(barcodes, cleaned=cleaned).dictionary_encode()
        distinct = coded.dictionary
        rows = np.zeros((len(distinct), self.width), np.float32)
        with _bar(len(distinct), progress) as done:
            tokens = _CPU_TOKENS if self.model.device.type == "cpu" else None
            for places in batches_by_length(distinct, self.k, self.max_nucleotides, batch_size, tokens):
                rows[places] = self._mean(distinct.take(pa.array(places)), offsets)
                done(len(places))
        found: NDArray[np.float32] = rows[np.asarray(coded.indices)]
        return found

    def _mean(self, barcodes: pa.Array, offsets: Sequence[int]) -> NDArray[np.float32]:
        total = np.zeros((len(barcodes), self.width), np.float32)
        count = np.zeros(len(barcodes), np.float32)
        for offset in offsets:
            ids, mask = encode_kmers(
                barcodes, self.k, self.layout, offsets=offset, max_nucleotides=self.max_nucleotides
            )
            places = np.flatnonzero(mask.any(axis=1))
            if len(places):
                total[places] += self._forward(ids[places], mask[places])
                count[places] += 1
        total /= np.maximum(count, 1)[:, None]
        return total

    def _forward(self, ids: NDArray[np.int32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        import torch

        device = self.model.device
        with torch.inference_mode():
            tokens = torch.from_numpy(ids.astype(np.int64)).to(device)
            attended = torch.from_numpy(mask).to(device)
            given: NDArray[np.float32] = self._compute(tokens, attended).float().cpu().numpy()
        return given

    @abstractmethod
    def _compute(self, tokens: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """Give the rows, (n, width), of ids and mask, (n, length)."""


def as_texts(barcodes: Barcodes, *, cleaned: bool) -> pa.Array:
    """Make one Arrow string array of barcodes; nulls become empty.

    Raises:
        ValueError: one string, or other things than strings.

    Examples:
        >>> as_texts(["ac-gu", None], cleaned=True).to_pylist()
        ['ACGT', '']
    """
    texts = clean(barcodes) if cleaned else pa.chunked_array(chunks(barcodes), pa.large_string()).combine_chunks()
    return pc.fill_null(texts, "")


def batches_by_length(
    barcodes: pa.Array, k: int, max_nucleotides: int, batch_size: int, most_tokens: int | None = None
) -> Iterator[NDArray[np.intp]]:
    """Divide barcodes into batches of about equal length, longest first.

    Args:
        barcodes: strings, shape (n,).
        k: bases of a k-mer.
        max_nucleotides: bases that are read.
        batch_size: barcodes in a batch, at most.
        most_tokens: k-mers in a batch, at most, unless one barcode has more.

    Yields:
        The places of a batch's barcodes.

    Examples:
        >>> [rows.tolist() for rows in batches_by_length(pa.array(["ACGT", "ACGTACGT", "AAAA"]), 4, 660, 2)]
        [[1], [0, 2]]
    """
    tokens = np.minimum(np.asarray(pc.utf8_length(barcodes)), max_nucleotides) // k
    order = np.argsort(-tokens, kind="stable")
    falling = tokens[order]
    start = 0
    while start < len(order):
        shorter = int(np.searchsorted(-falling, -_EVEN * falling[start], side="right"))
        fitting = batch_size if most_tokens is None else max(1, most_tokens // max(1, int(falling[start])))
        stop = min(start + batch_size, start + fitting, max(shorter, start + 1))
        yield order[start:stop]
        start = stop


def check_sizes(batch_size: int, offsets: Sequence[int]) -> None:
    """Refuse numbers that make no sense.

    Raises:
        ValueError: a batch of nothing, no offset, or a negative one.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: use a positive number")
    if not len(offsets) or min(offsets) < 0:
        raise ValueError(f"offsets are {tuple(offsets)}: use numbers from 0, such as (0,) or range(k)")


def chosen_device(device: str | torch.device | None) -> torch.device:
    """Give the device that was asked for, by default CUDA where there is one.

    Raises:
        ModuleNotFoundError: torch or transformers is not installed.
        ValueError: there is no such device.
    """
    try:
        import torch
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"models need {error.name}: pip install 'bioscan5m-hf[models]'") from error
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {str(device)!r} cannot be used here ({str(error).splitlines()[0]}): try 'cpu'"
        ) from error
    return chosen


def chosen_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    """Give the type that was asked for, by default float32.

    Raises:
        ValueError: it is none of float32, bfloat16, float16.

    Examples:
        >>> chosen_dtype("bfloat16")
        torch.bfloat16
    """
    import torch

    name = str(dtype or "float32").removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"dtype {name!r}: use one of {', '.join(DTYPES)}")
    chosen: torch.dtype = getattr(torch, name)
    return chosen


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[int], object]]:
    """Show a bar in a terminal, or nothing; gives the function that moves it."""
    from tqdm import tqdm

    with tqdm(total=total, unit=" barcodes", disable=None if shown else True, leave=False) as bar:
        yield bar.update
