"""The `sample` config: a few hundred specimens over all splits and orders."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa


SAMPLE_ROWS = 400


def choose_sample(orders: Mapping[str, pa.Array], rows: int = SAMPLE_ROWS) -> dict[str, npt.NDArray[np.int64]]:
    """Choose specimens in turns: the first of every order in every split, then the second, until there are enough.

    Args:
        orders: split → the taxonomic order of each of its specimens, in shard order; null where unknown.
        rows: how many to choose; more where there are more pairs of split and order.

    Returns:
        Split → ascending places of the chosen ones; no entry for a split without any.

    Examples:
        >>> choose_sample({"val": pa.array(["Diptera", "Diptera", "Araneae"])}, rows=2)
        {'val': array([0, 2])}
    """
    turns = [_turns(labels) for labels in orders.values()]
    if not turns:
        return {}
    turn = np.concatenate(turns)
    split = np.repeat(np.arange(len(turns)), [len(one) for one in turns])
    place = np.concatenate([np.arange(len(one)) for one in turns])
    chosen = np.lexsort((place, split, turn))[: max(rows, int((turn == 0).sum()))]
    by_split = {name: np.sort(place[chosen[split[chosen] == code]]) for code, name in enumerate(orders)}
    return {name: places for name, places in by_split.items() if len(places)}


def _turns(labels: pa.Array) -> npt.NDArray[np.int64]:
    """Count, for each label, how many equal ones stand before it."""
    encoded = labels.dictionary_encode()
    group = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    by_group = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[by_group], group[by_group])
    turn = np.empty(len(group), np.int64)
    turn[by_group] = np.arange(len(group)) - starts
    return turn
