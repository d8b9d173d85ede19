"""Labels as numbers: equal ones alike, missing ones apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..taxonomy import FILLER


def codes_of(
    values: pa.Array | pa.ChunkedArray | npt.NDArray[np.generic] | Sequence[str | int | None],
) -> npt.NDArray[np.int64]:
    """Number the different values in the order in which they come; -1 for null.

    Args:
        values: names or numbers, shape (n,).

    Examples:
        >>> codes_of(["Diptera", None, "Araneae", "Diptera"]).tolist()
        [0, -1, 1, 0]
    """
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return np.asarray(whole.dictionary_encode().indices.fill_null(-1)).astype(np.int64)


def class_codes(
    values: pa.Array | pa.ChunkedArray | npt.NDArray[np.generic] | Sequence[str | None],
) -> npt.NDArray[np.int64]:
    """Number the different names as `codes_of` does; -1 for null and for fillers, which are no class.

    Args:
        values: names of one rank, shape (n,).

    Examples:
        >>> class_codes(["Metopininae", "unassigned Sciaridae", None, "Metopininae"]).tolist()
        [0, -1, -1, 0]
    """
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
    names = array.cast(pa.string())
    filler = pc.fill_null(pc.match_substring_regex(names, FILLER), True)
    return codes_of(pc.if_else(filler, None, names))
