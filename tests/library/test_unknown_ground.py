"""What lies outside of what was fitted gets no name: noise, holes in a lineage, doubtful strands, unfitted kinds."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bioscan5m_hf.embedding.quality import prepare
from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.library.agreement import fit_confidence
from bioscan5m_hf.library.building import build_index
from bioscan5m_hf.library.calibration import Calibration
from bioscan5m_hf.library.fitting import calibrate
from bioscan5m_hf.library.index import Index
from bioscan5m_hf.library.names import LibraryNaming
from bioscan5m_hf.library.neighbours import Keys
from bioscan5m_hf.library.places import Place, Placing, Sites, place_notes
from bioscan5m_hf.library.vectors import Embedder


sys.path.insert(0, str(Path(__file__).parent))

from invented_library import Given, Seeing, specimens


KNOWN = 6


def asked(number=60, seed=5):
    seen = specimens(number, KNOWN, seed, "V", "val")
    return seen + specimens(number, KNOWN, seed + 1, "U", "val_unseen", first=KNOWN)


def fitted(folder, keys, labelled, encoder=None):
    encoder = encoder or Seeing()
    index = build_index(folder, Embedder(encoder), Given(keys, split="train"))
    return index, calibrate(index, Embedder(encoder), Given(labelled))


def naming_of(index, calibration, encoder=None, **options):
    allowed = np.ones(len(index), bool)
    return LibraryNaming(Keys(index, calibration.gap, allowed), Embedder(encoder or Seeing()), calibration, **options)


def named(naming, rows):
    return [row for batch in Given(rows).batches() for row in naming.names(batch)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("library") / "keys", specimens(), asked())


def test_noise_gets_no_name(library):
    drawn = np.random.default_rng(1)
    noise = ["".join(drawn.choice(list("ACGT"), 300)) for _ in range(40)] + ["A" * 300, "AC" * 150]
    rows = [{"processid": f"N{place}", "dna_barcode": barcode} for place, barcode in enumerate(noise)]
    found = named(naming_of(*library), rows)
    assert [row["modalities"] for row in found] == ["dna"] * len(rows)
    assert np.mean([bool(row.get("rank")) for row in found]) < 0.5  # there are two orders only
    assert not any(row.get("rank") in ("genus", "species") for row in found)
    right = named(naming_of(*library), asked(seed=31)[:60])
    assert np.mean([bool(row.get("rank")) for row in right]) > 0.6


def test_confidence_is_nothing_below_all_that_was_seen():
    features = np.stack([np.linspace(0.5, 1, 60), np.linspace(0.2, 1, 60), np.linspace(0.6, 0.9, 60)], axis=1)
    for right in (np.ones(60, bool), np.arange(60) % 3 > 0):
        one = fit_confidence(features, right)
        assert one.lowest == pytest.approx(0.6)
        assert one.of(np.array([[1.0, 1.0, 0.59], [1.0, 1.0, 0.61]]))[0] == 0
        assert one.of(np.array([[1.0, 1.0, 0.61]]))[0] > 0.4


def test_a_rank_that_a_family_lacks_is_wrong_whatever_it_is(tmp_path):
    def with_holes(rows):  # Hymenoptera have subfamilies, Diptera have none
        return [row | {"subfamily": "Ainae" if row["order"] == "Hymenoptera" else None} for row in rows]

    _, calibration = fitted(tmp_path / "keys", with_holes(specimens()), with_holes(asked()))
    found = calibration.kinds["dna"].ranks["subfamily"]
    assert found.specimens == 120  # all of them have a genus
    assert 50 <= found.right <= 60


def test_a_name_has_above_it_what_is_sure_as_well(library):
    index, calibration = library
    naming = naming_of(index, calibration, sure=0.7)
    rows = asked(seed=77)
    for row in named(naming, rows):
        if row.get("rank") == "species":
            assert row["species"].startswith(row["genus"])
    never = replace(calibration.kinds["dna"].ranks["order"], shares=(0.0,), levels=(0.0,))
    ranks = dict(calibration.kinds["dna"].ranks) | {"order": never}
    unsure = Calibration(calibration.index, calibration.gap, {"dna": replace(calibration.kinds["dna"], ranks=ranks)})
    assert not any(row.get("rank") for row in named(naming_of(index, unsure, sure=0.7), rows))


def test_who_is_a_key_is_not_found_by_itself(library):
    rows = specimens()[:20]
    for row, found in zip(rows, named(naming_of(*library), rows), strict=True):
        nearest = found["nearest_processids"].split(";")
        assert row["processid"] not in nearest
        assert float(found["nearest_similarities"].split(";")[0]) < 0.9999


class OneStrand(Seeing):
    """Reads a barcode as it stands, so that the strand matters; words of four bases are needed."""

    k = 4

    def embed(self, barcodes):
        words = [f"{a}{b}{c}" for a in "ACGT" for b in "ACGT" for c in "ACGT"]
        counts = [[barcode.count(word) + 0.1 for word in words] for barcode in barcodes]
        return np.asarray(np.array(counts).reshape(-1, 64) @ self._of_words, np.float32)


def test_reads_of_a_doubtful_strand_are_read_on_both(tmp_path):
    library = fitted(tmp_path / "keys", specimens(), asked(), OneStrand())
    complement = str.maketrans("ACGT", "TGCA")
    plain = [row["dna_barcode"][:150] for row in asked(seed=8)[:30]]
    turned = [{"processid": f"T{n}", "dna_barcode": read[::-1].translate(complement)} for n, read in enumerate(plain)]
    straight = [{"processid": f"T{n}", "dna_barcode": read} for n, read in enumerate(plain)]
    doubtful = prepare(np_strings(row["dna_barcode"] for row in turned)).doubtful
    assert doubtful.sum() > 5
    naming = naming_of(*library, OneStrand())
    same = [a["nearest_processids"] == b["nearest_processids"] for a, b in
            zip(named(naming, straight), named(naming, turned), strict=True)]  # fmt: skip
    assert np.array(same)[doubtful].mean() > 0.9


def np_strings(texts):
    import pyarrow as pa

    return pa.array(list(texts), pa.string())


def test_a_read_without_a_k_mer_is_a_row_with_a_problem(tmp_path):
    index = build_index(
        tmp_path / "keys",
        Embedder(OneStrand()),
        Given([*specimens(), {"processid": "S", "dna_barcode": "ACG", "species": "Aus b"}]),
    )
    assert len(index) == 120
    calibration = calibrate(index, Embedder(OneStrand()), Given(asked()))
    (row,) = named(naming_of(index, calibration, OneStrand()), [{"processid": "S", "dna_barcode": "ACG"}])
    assert row["problem"] == "the barcode cannot be used"


def test_a_part_for_which_there_is_a_fit_stands_for_both(library):
    naming = naming_of(*library)
    assert "image" not in library[1].kinds
    assert naming.asked_as("image+dna") == "dna"
    assert naming.asked_as("image") == "image"
    assert naming.notes() == [
        "specimens with image get no names: nothing was fitted for them",
        "specimens with image+dna are asked by dna: nothing was fitted for both",
    ]


def test_confidences_are_fitted_without_the_keys_of_unseen_species(tmp_path):
    keys = specimens() + specimens(60, KNOWN, 3, "Q", "key_unseen", first=KNOWN)
    _, calibration = fitted(tmp_path / "keys", keys, asked())
    novelty = calibration.kinds["dna"].novelty
    assert (novelty.known, novelty.new) == (60, 60)
    species = calibration.kinds["dna"].ranks["species"]
    assert species.specimens == 120
    assert species.right <= 60


def test_countries_that_no_key_has_are_told(library):
    sites = Sites.of(library[0])
    assert place_notes(sites, Place("costa rica"), Placing.FLAG) == [
        "no key is from 'costa rica', as far as countries are known; did you mean Costa Rica?"
    ]
    assert place_notes(sites, Place("Costa Rica"), Placing.FLAG) == []
    assert "confidences were fitted without" in place_notes(sites, Place(), Placing.WEIGH)[0]


def test_damaged_files_are_named(tmp_path):
    index, calibration = fitted(tmp_path / "keys", specimens(), asked())
    calibration.save(tmp_path / "calibration.json")
    read = json.loads((tmp_path / "calibration.json").read_text()) | {"origin": {}, "index": "other"}
    (tmp_path / "calibration.json").write_text(json.dumps(read))
    with pytest.raises(Exception, match="was fitted for other keys"):
        Calibration.load(tmp_path / "calibration.json").check(index)
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "keys" / "specimens.parquet")
    pq.write_table(table.slice(0, 5), tmp_path / "keys" / "specimens.parquet")
    with pytest.raises(OutputError, match=r"specimens\.parquet has another length"):
        Index.open(tmp_path / "keys")
