"""Zero-shot clustering: the published rule, what is left out, seeds, intervals and settings."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest


pytest.importorskip("fastcluster", reason="it comes with the extra eval")
pytest.importorskip("umap", reason="it comes with the extra eval")

from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.evaluation.clustering import MAIN, Clustering, best_height, cluster, unique_barcodes
from bioscan5m_hf.evaluation.reduction import Reduction


metrics = pytest.importorskip("sklearn.metrics")
cluster_of = pytest.importorskip("sklearn.cluster")

RANDOM = np.random.default_rng(0)
SPECIES, EACH = 24, 5
GENERA = np.repeat(np.arange(SPECIES) // 3, EACH)
KINDS = np.repeat(np.arange(SPECIES), EACH)
VECTORS = (
    6 * RANDOM.standard_normal((SPECIES, 16))[GENERA]
    + 2 * RANDOM.standard_normal((SPECIES, 16))[KINDS]
    + 1.6 * RANDOM.standard_normal((SPECIES * EACH, 16))
).astype(np.float32)
LABELS = {
    "class": [None] * len(KINDS),
    "order": ["Diptera" if genus < 5 else None for genus in GENERA],
    "genus": [f"G{genus}" for genus in GENERA],
    "species": [f"G{genus} s{kind}" for genus, kind in zip(GENERA, KINDS, strict=True)],
    "dna_bin": [f"BOLD:{kind}" if kind % 4 else None for kind in KINDS],
}
PLAIN = Clustering(Reduction("none"))
UMAP = Reduction(dimensions=4, neighbours=10)


def ward(vectors, clusters):
    return cluster_of.AgglomerativeClustering(clusters, linkage="ward").fit_predict(vectors)


def test_it_is_what_scikit_learn_gives():
    found = cluster(VECTORS, LABELS, how=PLAIN)
    names = np.array(LABELS["species"])
    for clusters, rule in ((24, "k = species"), (8, "k = rank")):
        part = ward(VECTORS, clusters)
        genus = LABELS["genus"]
        scores = {
            "ami": metrics.adjusted_mutual_info_score(genus, part),
            "ami_min": metrics.adjusted_mutual_info_score(genus, part, average_method="min"),
            "homogeneity": metrics.homogeneity_score(genus, part),
            "completeness": metrics.completeness_score(genus, part),
            "ari": metrics.adjusted_rand_score(genus, part),
        }
        for measure, value in scores.items():
            assert found.scores[f"genus/{rule}/{measure}"].value == pytest.approx(value, abs=1e-9)
    assert found.scores[MAIN].value == pytest.approx(metrics.adjusted_mutual_info_score(names, ward(VECTORS, 24)))
    for name, clusters in (("k = species", 24), ("k = genus", 8)):
        value = metrics.silhouette_score(VECTORS, ward(VECTORS, clusters))
        score = found.scores[f"silhouette/{name}"]
        assert score.value == pytest.approx(value, abs=1e-6)
        assert score.low < score.value < score.high


def test_missing_names_are_left_out_or_counted_as_one_class():
    left_out = cluster(VECTORS, LABELS, how=PLAIN).scores
    counted = cluster(VECTORS, LABELS, how=Clustering(Reduction("none"), missing="class")).scores
    part, named = ward(VECTORS, 24), np.array([name is not None for name in LABELS["dna_bin"]])
    bins = np.array([name or "" for name in LABELS["dna_bin"]])
    name = "dna_bin/k = species/ami"
    assert left_out[name].value == pytest.approx(metrics.adjusted_mutual_info_score(bins[named], part[named]))
    assert counted[name].value == pytest.approx(metrics.adjusted_mutual_info_score(bins, part))
    assert (left_out[name].n, counted[name].n) == (int(named.sum()), 120)
    assert not any(name.startswith(("class/", "order/")) for name in left_out)  # one name at most
    assert (left_out[MAIN].n, "order/k = rank/ami" in counted) == (120, True)
    filler = LABELS | {"dna_bin": [name or "unassigned Sciaridae" for name in LABELS["dna_bin"]]}
    assert cluster(VECTORS, filler, how=PLAIN).scores[name] == left_out[name]


def test_the_order_of_specimens_and_the_names_of_classes_do_not_matter():
    order = RANDOM.permutation(len(KINDS))
    shuffled = {rank: [names[row] for row in order] for rank, names in LABELS.items()}
    other = shuffled | {"species": [f"X{name}"[::-1] for name in shuffled["species"]]}
    one, two = cluster(VECTORS, LABELS, how=PLAIN), cluster(VECTORS[order], other, how=PLAIN)
    assert one.scores.keys() == two.scores.keys()
    for name, score in one.scores.items():
        assert score.value == pytest.approx(two.scores[name].value, abs=1e-6)


def test_one_specimen_of_each_barcode():
    barcodes = ["ACGT" * 3 + "ACGT"[kind % 4] * (kind + 1) for kind in KINDS]
    barcodes[1] += "NNN"
    found = cluster(VECTORS, LABELS, barcodes=barcodes, how=PLAIN)
    rows = np.arange(0, len(KINDS), EACH)
    assert unique_barcodes(barcodes).tolist() == rows.tolist()
    assert (found.counts["specimens"], found.counts["clustered"]) == (120, 24)
    assert found.scores["genus/k = rank/ami"].value == pytest.approx(
        metrics.adjusted_mutual_info_score(GENERA[rows], ward(VECTORS[rows], 8))
    )
    assert "first of each barcode" in found.settings["specimens"]


def test_seeds_give_a_median_and_a_range():
    how = Clustering(UMAP, seeds=(0, 1, 2), drawn=50)
    found = cluster(VECTORS, LABELS, how=how)
    score = found.scores[MAIN]
    assert len(score.seeds) == 3
    assert score.value == np.median(score.seeds)
    one = cluster(VECTORS, LABELS, how=Clustering(UMAP, seeds=(1,), drawn=0))
    assert (one.scores[MAIN].value, one.scores[MAIN].seeds) == (score.seeds[1], ())
    assert one.extras == {}
    plot = found.extras["scatter"]
    assert {name: len(values) for name, values in plot.items()} == {"x": 50, "y": 50, "order": 50}
    assert {None, "Diptera"} == set(plot["order"])
    assert found.settings["reduction"]["neighbours"] == 10
    assert found.settings["reduction"]["umap-learn"]
    assert json.dumps([found.settings, plot])
    assert cluster(VECTORS, LABELS, how=PLAIN).scores[MAIN].seeds == ()  # nothing is random


def test_pca_draws_its_first_two_components():
    found = cluster(VECTORS, LABELS, how=Clustering(Reduction("pca", dimensions=3)))
    centred = VECTORS - VECTORS.mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)
    first = np.abs(expected.U[:, 0] * expected.S[0])
    assert np.allclose(np.abs(found.extras["scatter"]["x"]), first, atol=2e-3)


def test_an_unknown_number_of_clusters_comes_from_a_height():
    height = best_height(VECTORS[:60], LABELS["species"][:60], how=PLAIN)
    found = cluster(VECTORS, LABELS, how=Clustering(Reduction("none"), height=height))
    assert 20 <= found.scores["clusters/unknown k"].value <= 30
    part = cluster_of.AgglomerativeClustering(None, distance_threshold=height, linkage="ward").fit_predict(VECTORS)
    expected = metrics.adjusted_mutual_info_score(LABELS["species"], part)
    assert found.scores["species/unknown k/ami"].value == pytest.approx(expected)
    assert found.settings["height"] == height


def test_an_interval_holds_what_other_species_of_the_same_kind_give():
    score = cluster(VECTORS, LABELS, how=PLAIN).scores["species/k = species/ami"]
    assert score.low < score.value < score.high <= 1
    noise = RANDOM.standard_normal((600, 4)).astype(np.float32)
    labels = {"species": [f"A s{number}" for number in RANDOM.integers(0, 60, 600)]}
    chance = cluster(noise, labels, how=Clustering(Reduction("none"))).scores[MAIN]
    assert chance.low < 0 < chance.high  # nothing is to be found


def test_what_cannot_be_clustered_is_named():
    with pytest.raises(ValueError, match="120 embeddings and 119 of species"):
        cluster(VECTORS, {"species": LABELS["species"][1:]}, how=PLAIN)
    with pytest.raises(ValueError, match="120 embeddings and 1 of barcodes"):
        cluster(VECTORS, LABELS, barcodes=["ACGT"], how=PLAIN)
    with pytest.raises(ValueError, match="no specimen has a species"):
        cluster(VECTORS, {"genus": LABELS["genus"]}, how=PLAIN)
    broken = VECTORS.copy()
    broken[7, 3] = np.nan
    for method in ("umap", "pca", "none"):
        with pytest.raises(ValueError, match="the embedding in row 7 is not finite"):
            cluster(broken, LABELS, how=Clustering(Reduction(method)))
    with pytest.raises(ValueError, match="UMAP to 200 dimensions with 30 neighbours needs more than 201 specimens"):
        cluster(VECTORS, LABELS, how=Clustering(Reduction(dimensions=200)))
    with pytest.raises(ValueError, match="there is no reduction 'tsne': use one of umap, pca, none"):
        Reduction("tsne")
    with pytest.raises(ValueError, match="a height needs three"):
        best_height(VECTORS[:2], LABELS["species"][:2], how=PLAIN)


def test_without_umap_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(Bioscan5mError, match=r"pip install 'bioscan5m-hf\[eval\]'"):
        Reduction().reduce(VECTORS)
