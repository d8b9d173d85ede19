"""The orders of BIOSCAN-5M, with their real shares; only what lies below them is invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """An order: its class, its number of records in BIOSCAN-5M, and the body plan it is drawn with."""

    name: str
    class_name: str
    records: int
    plan: str


def _of(class_name: str, *orders: tuple[str, int, str]) -> tuple[Order, ...]:
    return tuple(Order(name, class_name, records, plan) for name, records, plan in orders)


ORDERS = (
    *_of(
        "Insecta",
        ("Diptera", 3_675_317, "fly"),
        ("Hymenoptera", 574_049, "wasp"),
        ("Hemiptera", 264_540, "bug"),
        ("Coleoptera", 252_145, "beetle"),
        ("Lepidoptera", 181_065, "moth"),
        ("Psocodea", 46_106, "barklouse"),
        ("Thysanoptera", 16_088, "thrips"),
        ("Trichoptera", 8_961, "caddisfly"),
        ("Neuroptera", 6_253, "lacewing"),
        ("Blattodea", 5_529, "cockroach"),
        ("Orthoptera", 5_182, "cricket"),
        ("Ephemeroptera", 621, "mayfly"),
        ("Plecoptera", 383, "lacewing"),
        ("Archaeognatha", 343, "silverfish"),
        ("Dermaptera", 305, "earwig"),
        ("Strepsiptera", 177, "fly"),
        ("Embioptera", 66, "earwig"),
        ("Mantodea", 26, "cricket"),
        ("Megaloptera", 25, "lacewing"),
        ("Odonata", 17, "dragonfly"),
        ("Zygentoma", 16, "silverfish"),
        ("Phasmatodea", 15, "stick"),
        ("Zoraptera", 10, "barklouse"),
        ("Siphonaptera", 6, "mite"),
        ("Raphidioptera", 2, "lacewing"),
    ),
    *_of(
        "Arachnida",
        ("Araneae", 25_020, "spider"),
        ("Trombidiformes", 14_214, "mite"),
        ("Sarcoptiformes", 5_645, "mite"),
        ("Mesostigmata", 4_689, "mite"),
        ("Pseudoscorpiones", 382, "pseudoscorpion"),
        ("Opiliones", 211, "harvestman"),
        ("Ixodida", 85, "mite"),
        ("Solifugae", 30, "spider"),
    ),
    *_of(
        "Collembola",
        ("Entomobryomorpha", 35_982, "springtail"),
        ("Symphypleona", 7_514, "globular_springtail"),
        ("Poduromorpha", 2_924, "springtail"),
    ),
    *_of(
        "Malacostraca",
        ("Amphipoda", 286, "amphipod"),
        ("Isopoda", 172, "woodlouse"),
        ("Mysida", 15, "amphipod"),
        ("Cumacea", 1, "amphipod"),
    ),
    *_of(
        "Diplopoda",
        ("Polyxenida", 50, "millipede"),
        ("Polydesmida", 7, "millipede"),
        ("Chordeumatida", 2, "millipede"),
        ("Julida", 1, "millipede"),
    ),
    *_of(
        "Branchiopoda",
        ("Anomopoda", 235, "waterflea"),
        ("Anostraca", 33, "amphipod"),
        ("Onychopoda", 21, "waterflea"),
        ("Notostraca", 2, "woodlouse"),
    ),
    *_of(
        "Chilopoda",
        ("Lithobiomorpha", 82, "centipede"),
        ("Scutigeromorpha", 31, "centipede"),
        ("Geophilomorpha", 3, "centipede"),
    ),
    *_of("Copepoda", ("Calanoida", 75, "waterflea"), ("Cyclopoida", 18, "waterflea")),
    *_of("Ostracoda", ("Podocopida", 5, "waterflea")),
    *_of("Diplura", ("Rhabdura", 5, "silverfish")),
)
"""All 55 orders; the numbers are those of the class and order figure in the README of `bioscan-ml/BIOSCAN-5M`."""

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
