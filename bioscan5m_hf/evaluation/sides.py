"""Specimens that ask and specimens that are found, with what is known of them in several modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from .answers import Columns, Mask, Names, array
from .fusion import Fused, Stacked, averaged, concatenated
from .search import Vectors


UNFUSED = ("image", "dna", "text")
FUSED = {"averaged": averaged, "concatenated": concatenated}
"""Image and DNA as one, as queries and as keys."""

_WELL = r"-[A-H](0?[1-9]|1[0-2])$"


@dataclass(frozen=True)
class Side:
    """Specimens that ask, or that are found.

    Args:
        vectors: modality → vectors of the specimens, arrays or files, each of shape (n, width).
        labels: rank → name of each specimen, None where it has none, with `species`; shape (n,).
        sampleid: of each specimen, plate and well (`BIOUG84489-A03`), shape (n,); None where not known.
        country: of each specimen, shape (n,); None where not known.
        masks: name of a stratum → whether each specimen belongs to it, shape (n,).

    Raises:
        ValueError: columns or vectors of different numbers of specimens.
    """

    vectors: Mapping[str, Vectors]
    labels: Columns
    sampleid: Names | None = None
    country: Names | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.vectors if name not in UNFUSED]:
            raise ValueError(f"unknown modality {unknown[0]!r}: use some of {', '.join(UNFUSED)}")
        sizes = {name: each.shape[0] for name, each in self.vectors.items()}
        columns = {**self.labels, "sampleid": self.sampleid, "country": self.country, **self.masks}
        sizes |= {name: len(each) for name, each in columns.items() if each is not None}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"numbers of specimens differ: {', '.join(f'{name} {n}' for name, n in sizes.items())}")

    def __len__(self) -> int:
        return len(self.labels["species"])

    def views(self) -> dict[str, Vectors]:
        """Give what can be compared: the modalities, and image and DNA as one."""
        found = dict(self.vectors)
        if "image" in found and "dna" in found:
            pair = (found["image"], found["dna"])
            same = pair[0].shape[1] == pair[1].shape[1]
            found |= {name: Fused(pair, join) for name, join in FUSED.items() if same or name == "concatenated"}
        return found

    @classmethod
    def together(cls, sides: Sequence[Side]) -> Side:
        """Put the specimens of several splits one behind the other; their vectors stay where they are."""
        if len(sides) == 1:
            return sides[0]
        vectors = {name: Stacked(tuple(side.vectors[name] for side in sides)) for name in sides[0].vectors}
        labels = {rank: joined([side.labels[rank] for side in sides]) for rank in sides[0].labels}
        ids = [side.sampleid for side in sides]
        return cls(vectors, labels, None if any(each is None for each in ids) else joined(ids))


def plates(sampleid: Names) -> pa.Array:
    """Give the plate of each specimen: its sample id without the well; null where the id is none of that form.

    Args:
        sampleid: shape (n,).

    Examples:
        >>> plates(["BIOUG84489-A03", "CBG-A05822-H12", "GMP#00123", None]).to_pylist()
        ['BIOUG84489', 'CBG-A05822', None, None]
    """
    ids = array(sampleid)
    formed = pc.fill_null(pc.match_substring_regex(ids, _WELL), False)
    return pc.if_else(formed, pc.replace_substring_regex(ids, _WELL, ""), pa.scalar(None, pa.string()))


def joined(columns: Sequence[Names]) -> pa.Array:
    """Put columns of names one behind the other.

    Args:
        columns: each of shape (its number,).

    Examples:
        >>> joined([["Diptera"], [None]]).to_pylist()
        ['Diptera', None]
    """
    return pa.concat_arrays([array(column) for column in columns])
