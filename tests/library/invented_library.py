"""An encoder that sees what is invented, and specimens for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from bioscan5m_hf.library.specimens import SCHEMA, Batch


WIDTH = 12
LETTERS = "ACGT"
COMPLEMENT = str.maketrans(LETTERS, "TGCA")


class Seeing:
    """Embeds a photograph by its mean colour, a barcode by its words on both strands; counts what it was asked."""

    def __init__(self, name="invented", revision="sha256:0", **settings):
        self.name, self.revision, self.settings = name, revision, {"adapter": "invented", **settings}
        self.images = self.barcodes = 0
        mixing = np.random.default_rng(5)
        self._of_colours, self._of_words = mixing.standard_normal((4, WIDTH)), mixing.standard_normal((64, WIDTH))

    def embed_images(self, images):
        self.images += len(images)
        colours = [[*(np.asarray(image, np.float64).mean(axis=(0, 1)) / 255), 1.0] for image in images]
        return np.asarray(np.array(colours).reshape(-1, 4) @ self._of_colours, np.float32)

    def embed(self, barcodes: Sequence[str]):
        self.barcodes += len(barcodes)
        words = ["".join(word) for word in itertools.product(LETTERS, repeat=3)]
        both = [f"{barcode}-{barcode[::-1].translate(COMPLEMENT)}" for barcode in barcodes]
        counts = [[strands.count(word) + 0.1 for word in words] for strands in both]
        return np.asarray(np.array(counts).reshape(-1, 64) @ self._of_words, np.float32)


class Given:
    """Specimens that are given as rows."""

    def __init__(self, rows, photographs=None, name="given", split=None):
        self.notes = []
        self.rows, self.name, self.split = rows, name, split
        self.photographs = photographs or [None] * len(rows)

    def count(self):
        return len(self.rows)

    def identity(self):
        return f"{self.name} {len(self.rows)}"

    def batches(self, *, rows=512):
        for start in range(0, len(self.rows), rows):
            some = [{"dna_barcode": "", **row} for row in self.rows[start : start + rows]]
            yield Batch(pa.Table.from_pylist(some, schema=SCHEMA), self.photographs[start : start + rows])


def specimens(number=120, species=6, seed=0, prefix="K", split="train", **known):
    """Give rows of invented specimens: those of a species have one barcode, of which some letters are drawn anew."""
    rng, own = np.random.default_rng(seed), np.random.default_rng(77)
    barcodes = own.choice(list(LETTERS), (40, 300))
    rows = []
    for place in range(number):
        kind = place % species + known.get("first", 0)
        barcode = "".join(np.where(rng.random(300) < 0.04, rng.choice(list(LETTERS), 300), barcodes[kind]))
        rows.append(
            {
                "processid": f"{prefix}{place:04d}",
                "dna_barcode": barcode,
                "order": "Diptera" if kind % 2 else "Hymenoptera",
                "genus": f"Aus{kind // 2}",
                "species": f"Aus{kind // 2} b{kind}",
                "country": ("Costa Rica", "Canada", None)[place % 3],
                "coord-lat": (10.0, 45.0, None)[place % 3],
                "coord-lon": (-84.0, -75.0, None)[place % 3],
                "split": split,
            }
        )
    return rows
