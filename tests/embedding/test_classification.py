"""Names by a fine-tuned model: its probabilities, summed upward, among allowed taxa, never more than is sure."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import SIZE, save_stock

from bioscan5m_hf import load_specimens
from bioscan5m_hf.dna import encode_kmers, reverse_complement
from bioscan5m_hf.embedding.calibration import RankThreshold
from bioscan5m_hf.embedding.checkpoint import CheckpointError
from bioscan5m_hf.embedding.classification import Classification
from bioscan5m_hf.embedding.classifier import BarcodeClassifier
from bioscan5m_hf.embedding.inputs import open_input
from bioscan5m_hf.embedding.naming import DECISIVE, Evidence, calibrate, supported_below
from bioscan5m_hf.embedding.quality import prepare
from bioscan5m_hf.embedding.thresholds import Thresholds
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification
from bioscan5m_hf.taxonomy import RANKS


@pytest.fixture
def classifier(classifier_folder):
    return BarcodeClassifier.from_pretrained(classifier_folder, device="cpu")


@pytest.fixture(scope="module")
def reads(dataset):
    """Give a batch of real reads of the invented dataset, with odd ones between."""
    rows = list(load_specimens(dataset, split="test", columns=["processid", "dna_barcode"], streaming=True))[:4]
    ids = [row["processid"] for row in rows]
    barcodes = [row["dna_barcode"] for row in rows]
    turned = reverse_complement(barcodes[:1])[0].as_py()
    return pa.record_batch(
        [
            [*ids, "empty", "turned", "protein", "=cmd"],
            [*barcodes, "", turned, "MKVLAAGIVGLPLLFEQP" * 5, "ACGT" * 3000],
        ],
        names=["processid", "dna_barcode"],
    )


def probabilities(folder, barcode, rank):
    """Compute the model's own probabilities the plain way."""
    model = BarcodeBertForSequenceClassification.from_pretrained(folder).eval()
    ids, mask = encode_kmers([barcode], 4)
    with torch.no_grad():
        logits = model(torch.tensor(ids).long(), torch.tensor(mask).long()).logits[rank]
    return dict(zip(model.config.labels[rank], logits.softmax(-1)[0].tolist(), strict=True))


def test_probabilities_are_the_models_own(classifier, classifier_folder, reads):
    naming = Classification(classifier, "species", top=3)
    rows = [row for row in naming.names(reads) if row["processid"] == reads["processid"][0].as_py()]
    expected = probabilities(classifier_folder, prepare(reads["dna_barcode"][:1]).barcodes[0].as_py(), "species")
    best = sorted(expected, key=expected.get, reverse=True)[:3]
    assert [(row["place"], row["candidate"]) for row in rows] == list(enumerate(best, 1))
    for row in rows:
        assert row["candidate_probability"] == pytest.approx(expected[row["candidate"]], abs=1e-5)


def test_probabilities_of_lower_ranks_are_summed_upward(classifier, classifier_folder, reads):
    lineages = classifier.lineages
    barcode = prepare(reads["dna_barcode"][:1]).barcodes[0].as_py()
    species = probabilities(classifier_folder, barcode, "species")
    for rank in ("genus", "family"):
        summed = {}
        for name, probability in species.items():
            above = lineages.above("species", name).get(rank)
            summed[above] = summed.get(above, 0) + probability
        summed.pop(None, None)
        row = next(iter(Classification(classifier, rank).names(reads)))
        assert (row["candidate_rank"], row["candidate"]) == (rank, max(summed, key=summed.get))
        assert row["candidate_probability"] == pytest.approx(max(summed.values()), abs=1e-5)
    own = probabilities(classifier_folder, barcode, "order")
    row = next(iter(Classification(classifier, "order").names(reads)))
    assert row["candidate"] == max(own, key=own.get)
    assert row["candidate_probability"] == pytest.approx(max(own.values()), abs=1e-5)
    assert Classification(classifier, "class").classifier.head == "order"


def test_within_a_taxon_probabilities_are_those_among_its_names(classifier, classifier_folder, reads):
    lineages = classifier.lineages
    species = probabilities(classifier_folder, prepare(reads["dna_barcode"][:1]).barcodes[0].as_py(), "species")
    order = lineages.above("species", min(species, key=species.get))["order"]
    inside = {name: share for name, share in species.items() if lineages.above("species", name).get("order") == order}
    naming = Classification(classifier, "species", {"order": [order]}, top=1000)
    rows = [row for row in naming.names(reads) if row["processid"] == reads["processid"][0].as_py()]
    assert {row["candidate"] for row in rows} == set(inside)
    assert sum(row["candidate_probability"] for row in rows) == pytest.approx(1, abs=1e-5)
    for row in rows:
        among = inside[row["candidate"]] / sum(inside.values())
        assert row["candidate_probability"] == pytest.approx(among, abs=1e-4)
        assert row["probability_within"] == pytest.approx(sum(inside.values()), abs=1e-5)
    with pytest.raises(ValueError, match=r"the classes of .* have no order 'Dipteraa'"):
        Classification(classifier, "species", {"order": ["Dipteraa"]})
    other = next(above for name in species if (above := lineages.above("species", name))["order"] != order)
    with pytest.raises(ValueError, match="no class of the model lies within all these taxa"):
        Classification(classifier, "species", {"order": [order], "genus": [other["genus"]]})
    with pytest.raises(ValueError, match="names order, which is wider"):
        Classification(classifier, "class", {"genus": [other["genus"]]})


def test_every_read_has_its_rows_in_order_whatever_it_is(classifier, reads):
    naming = Classification(classifier, "species", top=2)
    rows = list(naming.names(reads))
    assert list(dict.fromkeys(row["processid"] for row in rows)) == reads["processid"].to_pylist()
    by_id = {row["processid"]: row for row in rows if row["place"] == 1}
    for unnamed in ("empty", "protein"):
        assert "candidate" not in by_id[unnamed]
        assert "candidate_probability" not in by_id[unnamed]
    assert by_id["empty"]["warnings"] == "empty"
    assert "protein" in by_id["protein"]["warnings"]
    assert "long" in by_id["=cmd"]["warnings"]
    assert set(naming.columns) >= {
        "strand",
        "length",
        "n_share",
        "foreign_letters",
        "frame",
        "stop_codons",
        "warnings",
    }


def test_of_a_doubtful_read_the_strand_with_the_higher_probability_is_kept(classifier, classifier_folder, reads):
    """The model is random and knows no strand; so either may win, whatever the check says."""
    whole = reads["dna_barcode"][1].as_py()
    parts = [whole[start : start + 24] for start in range(0, 480, 24)]
    texts = [*parts, reverse_complement([whole])[0].as_py()]
    batch = pa.record_batch([[f"Q{at}" for at in range(len(texts))], texts], names=["processid", "dna_barcode"])
    prepared = prepare(batch["dna_barcode"], 4)
    assert prepared.doubtful.sum() > 5
    taken = set()
    rows = Classification(classifier, "species").names(batch)
    for text, row, doubtful in zip(texts, rows, prepared.doubtful, strict=True):
        given, other = text, reverse_complement([text])[0].as_py()
        best = [max(probabilities(classifier_folder, strand, "species").values()) for strand in (given, other)]
        if doubtful:
            found_reversed = "reverse_complement" in row["warnings"]
            given_wins = best[0] > best[1] + DECISIVE if found_reversed else best[0] >= best[1]
            assert row["strand"] == ("+" if given_wins else "-")
            taken.add((row["strand"], found_reversed))
        assert row["candidate_probability"] == pytest.approx(best[row["strand"] == "-"], abs=1e-5)
    assert taken >= {("+", False), ("-", False), ("-", True)}


def test_frames_are_averaged_like_embeddings(classifier, reads):
    barcodes = prepare(reads["dna_barcode"][:3]).barcodes
    classifier.choose_head("species")
    mean = classifier.logits(barcodes, offsets=classifier.frames)
    each = [classifier.logits([text.as_py()[frame:] for text in barcodes]) for frame in range(4)]
    np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-4)


def threshold(value):
    return RankThreshold(value, 100, 50, 50)


def test_without_thresholds_no_name_is_forced(classifier, reads):
    naming = Classification(classifier, "species")
    assert naming.use(None) == "the model has no thresholds"
    rows = list(naming.names(reads))
    assert {"name", "probability", "share_right", "species", "phylum"} <= set(naming.columns)
    assert not any({"name", "rank", "probability", "share_right", *RANKS} & set(row) for row in rows)
    assert rows[0]["candidate"]


def test_the_deepest_rank_that_is_sure_is_given_and_no_deeper(classifier, reads):
    naming = Classification(classifier, "species")
    origin = naming.origin
    plain = next(iter(naming.names(reads)))
    ranks = {rank: threshold(None) for rank in RANKS} | {"order": threshold(0.0), "class": threshold(0.0)}
    assert naming.use(Thresholds("classifier", 0.95, ranks, origin)) == ""
    row = next(iter(naming.names(reads)))
    assert (row["candidate"], row["candidate_probability"]) == (plain["candidate"], plain["candidate_probability"])
    assert (row["rank"], row["name"]) == ("order", row["order"])
    assert {"phylum", "class", "order"} <= set(row)
    assert not {"family", "genus", "species"} & set(row)
    assert row["probability"] == pytest.approx(naming.weigh(naming.rows(reads["dna_barcode"][:1]))["order"].scores[0])
    naming.use(Thresholds("classifier", 0.95, {"order": threshold(1.5)}, origin))
    assert "name" not in next(iter(naming.names(reads)))
    naming.use(Thresholds("classifier", 0.95, {"species": threshold(0.0)}, origin))
    row = next(iter(naming.names(reads)))
    assert (row["rank"], row["name"], row["species"]) == ("species", plain["candidate"], plain["candidate"])
    with pytest.raises(ValueError, match="another model"):
        naming.use(Thresholds("classifier", 0.95, ranks, origin | {"weights": "x"}))
    with pytest.raises(ValueError, match="another head"):
        naming.use(Thresholds("classifier", 0.95, ranks, origin | {"head": "x"}))


def test_a_restriction_makes_no_name_surer(classifier, classifier_folder, reads):
    """A beetle among flies: the flies' probabilities sum to 1 within the restriction, and support nothing."""
    lineages = classifier.lineages
    species = probabilities(classifier_folder, prepare(reads["dna_barcode"][:1]).barcodes[0].as_py(), "species")
    order = lineages.above("species", min(species, key=species.get))["order"]
    naming = Classification(classifier, "species", {"order": [order]})
    inside = next(iter(naming.names(reads)))["probability_within"]
    assert inside < 0.99
    for least, expected in ((inside + 0.01, None), (inside - 0.01, "order")):
        naming.use(Thresholds("classifier", 0.95, {"order": threshold(least)}, naming.origin))
        assert next(iter(naming.names(reads))).get("rank") == expected


def test_thresholds_are_fitted_on_labelled_reads(classifier, dataset):
    naming = Classification(classifier, "genus")
    fitted = calibrate(naming, open_input(dataset, "val+val_unseen"), share=0.5, least=1)
    assert list(fitted.ranks) == ["genus", "family", "order", "class", "phylum"] or "subfamily" in fitted.ranks
    phylum = fitted.ranks["phylum"]
    assert (phylum.right, phylum.accepted) == (phylum.asked, phylum.asked)
    assert fitted.origin["fitted_on"] == dataset.name
    naming.use(fitted)


def test_a_name_at_a_wider_rank_follows_from_a_sure_one_below(classifier, reads):
    """Thresholds of genera are fitted on reads that no species names, and here none was good enough."""
    species = {row["processid"]: row["candidate"] for row in Classification(classifier, "species").names(reads)
               if "candidate" in row}  # fmt: skip
    naming = Classification(classifier, "genus")
    fitted = {"species": threshold(0.0), "genus": threshold(None), "order": threshold(0.0)}
    naming.use(Thresholds("classifier", 0.95, fitted, naming.origin))
    follow = []
    for row in naming.names(reads):
        if row["processid"] in species:
            follow.append(classifier.lineages.above("species", species[row["processid"]])["genus"] == row["candidate"])
            assert row["rank"] == ("genus" if follow[-1] else "order")
            assert row["name"] == (row["candidate"] if follow[-1] else row["order"])
            assert not follow[-1] or row["probability"] == row["candidate_probability"]
            assert "species" not in row
    assert any(follow)


def test_only_what_follows_from_a_narrower_name_is_supported_by_it():
    asked = Evidence(["A", "B"], np.array([0, 0, 1, 1, 1, -1]), np.array([0.5, 0.5, 0.5, 0.5, -np.inf, -np.inf]))
    scores = np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.9])
    below = {"species": (Evidence(["A a", "B b"], np.zeros(6, int), scores), np.array([0, 1, 1, 1, 1, -1]))}
    fitted = Thresholds("neighbours", 0.95, {"species": threshold(0.5)})
    assert supported_below(below, asked, fitted).tolist() == [0, -1, 0, -1, -1, -1]
    assert supported_below(below, asked, None).tolist() == [-1] * 6


def test_a_head_above_the_rank_or_without_lineages_is_refused(tmp_path, classifier_folder, stock, dataset):
    torch.manual_seed(0)
    config = BarcodeBertConfig(kmer_size=4, labels={"genus": ["Aus", "Bus"]}, **SIZE)
    BarcodeBertForSequenceClassification(config).save_pretrained(tmp_path)
    genera = BarcodeClassifier.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="names genus, nothing as fine as species"):
        Classification(genera, "species")
    with pytest.raises(ValueError, match=r"has no taxonomy\.json .*--taxonomy"):
        Classification(genera, "order")
    assert Classification(genera, "genus").groups["genus"].names == ("Aus", "Bus")
    with pytest.raises(ValueError, match="top is 0"):
        Classification(genera, "genus", top=0)
    with pytest.raises(CheckpointError, match="it is not fine-tuned"):
        BarcodeClassifier.from_pretrained(stock)
    (classifier_like := tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors"):
        (classifier_like / name).write_bytes((classifier_folder / name).read_bytes())
    known = BarcodeClassifier.from_pretrained(classifier_like, taxonomy=str(dataset))
    assert Classification(known, "genus").groups["family"].names


def test_a_classifier_whose_head_is_missing_is_refused(tmp_path):
    save_stock(tmp_path)
    config = BarcodeBertConfig(kmer_size=4, labels={"genus": ["Aus", "Bus"]}, **SIZE)
    config.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="do not fit its config"):
        BarcodeClassifier.from_pretrained(tmp_path)
