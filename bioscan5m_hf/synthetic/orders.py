"""The orders of BIOSCAN-5M, with their real shares; only what lies below them is invented."""

from __future__ import annotations

from dataclasses import dataclass

from ..data import published


@dataclass(frozen=True)
class Order:
    """An order: its class, its number of records in BIOSCAN-5M, and the body plan it is drawn with."""

    name: str
    class_name: str
    records: int
    plan: str


def _of(class_name: str, *orders: tuple[str, str]) -> tuple[Order, ...]:
    return tuple(Order(name, class_name, published.ORDERS[class_name][name], plan) for name, plan in orders)


ORDERS = (
    *_of(
        "Insecta",
        ("Diptera", "fly"),
        ("Hymenoptera", "wasp"),
        ("Hemiptera", "bug"),
        ("Coleoptera", "beetle"),
        ("Lepidoptera", "moth"),
        ("Psocodea", "barklouse"),
        ("Thysanoptera", "thrips"),
        ("Trichoptera", "caddisfly"),
        ("Neuroptera", "lacewing"),
        ("Blattodea", "cockroach"),
        ("Orthoptera", "cricket"),
        ("Ephemeroptera", "mayfly"),
        ("Plecoptera", "lacewing"),
        ("Archaeognatha", "silverfish"),
        ("Dermaptera", "earwig"),
        ("Strepsiptera", "fly"),
        ("Embioptera", "earwig"),
        ("Mantodea", "cricket"),
        ("Megaloptera", "lacewing"),
        ("Odonata", "dragonfly"),
        ("Zygentoma", "silverfish"),
        ("Phasmatodea", "stick"),
        ("Zoraptera", "barklouse"),
        ("Siphonaptera", "mite"),
        ("Raphidioptera", "lacewing"),
    ),
    *_of(
        "Arachnida",
        ("Araneae", "spider"),
        ("Trombidiformes", "mite"),
        ("Sarcoptiformes", "mite"),
        ("Mesostigmata", "mite"),
        ("Pseudoscorpiones", "pseudoscorpion"),
        ("Opiliones", "harvestman"),
        ("Ixodida", "mite"),
        ("Solifugae", "spider"),
    ),
    *_of(
        "Collembola",
        ("Entomobryomorpha", "springtail"),
        ("Symphypleona", "globular_springtail"),
        ("Poduromorpha", "springtail"),
    ),
    *_of(
        "Malacostraca",
        ("Amphipoda", "amphipod"),
        ("Isopoda", "woodlouse"),
        ("Mysida", "amphipod"),
        ("Cumacea", "amphipod"),
    ),
    *_of(
        "Diplopoda",
        ("Polyxenida", "millipede"),
        ("Polydesmida", "millipede"),
        ("Chordeumatida", "millipede"),
        ("Julida", "millipede"),
    ),
    *_of(
        "Branchiopoda",
        ("Anomopoda", "waterflea"),
        ("Anostraca", "amphipod"),
        ("Onychopoda", "waterflea"),
        ("Notostraca", "woodlouse"),
    ),
    *_of(
        "Chilopoda",
        ("Lithobiomorpha", "centipede"),
        ("Scutigeromorpha", "centipede"),
        ("Geophilomorpha", "centipede"),
    ),
    *_of("Copepoda", ("Calanoida", "waterflea"), ("Cyclopoida", "waterflea")),
    *_of("Ostracoda", ("Podocopida", "waterflea")),
    *_of("Diplura", ("Rhabdura", "silverfish")),
)
"""All 55 orders."""

SEEN_SHARES = {
    "Diptera": 0.59,
    "Hymenoptera": 0.12,
    "Hemiptera": 0.08,
    "Lepidoptera": 0.049,
    "Coleoptera": 0.048,
    "Araneae": 0.031,
    "Entomobryomorpha": 0.02,
    "Symphypleona": 0.01,
    "Trichoptera": 0.02,
    "Psocodea": 0.02,
}
"""Mix of orders among the seen species (same source; the last two are ours for its `two others, 2 % each`)."""

UNSEEN_SHARES = {"Hymenoptera": 0.41, "Diptera": 0.36, "Lepidoptera": 0.21}
"""Mix of orders among the unseen species (same source)."""

MAJOR = (
    *("Diptera", "Hymenoptera", "Hemiptera", "Coleoptera", "Lepidoptera", "Psocodea", "Thysanoptera"),
    *("Trichoptera", "Araneae", "Trombidiformes", "Entomobryomorpha", "Symphypleona"),
)
"""Orders that every invented release holds, however small."""
