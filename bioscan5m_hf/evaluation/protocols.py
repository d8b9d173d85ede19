"""Which protocol computes which task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from . import name_protocols, space_protocols
from .results import Outcome
from .run import Run


PROTOCOLS: Mapping[str, Callable[[Run], Outcome]] = MappingProxyType(
    {
        "finetune-species": name_protocols.finetune_species,
        "linear-probe-species": name_protocols.linear_probe_species,
        "knn-genus-unseen": name_protocols.knn_genus_unseen,
        "knn-genus-left-out-species": name_protocols.knn_genus_left_out_species,
        "zero-shot-clustering": space_protocols.zero_shot_clustering,
        "cross-modal-retrieval": space_protocols.cross_modal_retrieval,
        "novelty": space_protocols.find_novelty,
        "robustness": space_protocols.find_robustness,
    }
)
"""Name of a task → what computes it."""

FURTHER: Mapping[str, Callable[[Run], Iterator[tuple[str, list[str]]]]] = MappingProxyType(
    {"robustness": space_protocols.damaged_barcodes}
)
"""Name of a task → barcodes that it embeds beside the dataset's own, in lots with a name."""
