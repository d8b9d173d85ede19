"""Linear probes: the solution of discriminant analysis, chosen on other specimens, and the published rule."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bioscan5m_hf.evaluation.probe import Moments, Probe, linear_probe


RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(20, 16))
CLASSES = np.sort(np.concatenate([np.arange(20), RANDOM.integers(0, 20, 380)]))
MIX = RANDOM.normal(size=(16, 16))


def drawn(classes, noise=1.0):
    return (CENTRES[classes] + noise * RANDOM.normal(size=(len(classes), 16)) @ MIX / 4).astype(np.float32)


TRAIN, VAL, TEST = drawn(CLASSES), drawn(CLASSES), drawn(CLASSES)
NAMES = [f"Aus {'abcdefghijklmnopqrst'[code]}" for code in CLASSES]


def test_without_shrinkage_it_is_scikit_learns_discriminant():
    peer = LinearDiscriminantAnalysis(solver="lsqr").fit(TRAIN, CLASSES)
    ours = Moments.of(TRAIN, CLASSES).discriminant(1e-12).predict(TEST)
    assert (ours == peer.predict(TEST)).all()


def test_full_shrinkage_is_the_nearest_mean_of_standardised_vectors():
    moments = Moments.of(TRAIN, CLASSES)
    standard = (TEST - moments.mean) / moments.scale
    distance = ((standard[:, None] - moments.means) ** 2).sum(axis=2)
    variance = np.trace(moments.within) / 16
    expected = (np.log(moments.shares) - distance / (2 * variance)).argmax(axis=1)
    assert (moments.discriminant(1.0).predict(TEST) == expected).all()


def test_fewer_embeddings_than_numbers_give_what_the_whole_covariance_gives():
    wide = RANDOM.normal(size=(16, 60)).astype(np.float32)
    train, test = TRAIN[::10] @ wide, TEST @ wide + RANDOM.normal(size=(400, 60)).astype(np.float32)
    _, classes = np.unique(CLASSES[::10], return_inverse=True)
    moments = Moments.of(train, classes)
    assert moments.within.shape == (40, 40)
    standard = ((train - moments.mean) / moments.scale).astype(np.float64)
    means = np.array([standard[classes == code].mean(axis=0) for code in range(classes.max() + 1)])
    left = standard - means[classes]
    covariance = left.T @ left / (len(train) - len(means))
    shrunk = 0.9 * covariance + 0.1 * np.trace(covariance) / 60 * np.eye(60)
    weight = np.linalg.solve(shrunk, means.T)
    scores = (test - moments.mean) / moments.scale @ weight - (means * weight.T).sum(axis=1) / 2
    expected = (scores + np.log(moments.shares)).argmax(axis=1)
    assert (moments.discriminant(0.1).predict(test) == expected).mean() > 0.99


def test_a_linear_change_of_the_embeddings_changes_nothing_without_shrinkage():
    whole = linear_probe(
        (TRAIN, NAMES), (VAL, NAMES), (TEST, {"species": NAMES}), part="test", how=Probe(shrinkages=(1e-9,))
    )
    turned = [(vectors @ MIX + 3).astype(np.float32) for vectors in (TRAIN, VAL, TEST)]
    other = linear_probe(
        (turned[0], NAMES),
        (turned[1], NAMES),
        (turned[2], {"species": NAMES}),
        part="test",
        how=Probe(shrinkages=(1e-9,)),
    )
    name = "species/test/micro"
    assert whole.scores[name].value == pytest.approx(other.scores[name].value, abs=0.005)


def test_the_shrinkage_is_chosen_on_val_and_said():
    accuracies = {}
    for shrinkage in (0.01, 0.3, 1.0):
        how = Probe(shrinkages=(shrinkage,))
        found = linear_probe((TRAIN, NAMES), (VAL, NAMES), (TEST, {"species": NAMES}), part="test", how=how)
        accuracies[shrinkage] = found.settings["accuracy on val"]
    how = Probe(shrinkages=tuple(accuracies))
    found = linear_probe((TRAIN, NAMES), (VAL, NAMES), (TEST, {"species": NAMES}), part="test", how=how)
    best = max(accuracies.values())
    assert found.settings["accuracy on val"] == best
    assert found.settings["shrinkage"] == max(key for key, value in accuracies.items() if value == best)
    assert len(set(accuracies.values())) > 1
    assert found.counts["classes"] == 20


def test_the_published_rule_learns_and_is_the_same_each_time():
    how = Probe(solver="sgd", epochs=30)
    runs = [
        linear_probe((TRAIN, NAMES), (VAL, NAMES), (TEST, {"species": NAMES}), part="test", how=how) for _ in range(2)
    ]
    assert runs[0].scores == runs[1].scores
    assert runs[0].scores["species/test/micro"].value > 0.5
    assert runs[0].settings["epochs"] == 30
    assert "shrinkage" not in runs[0].settings


def test_names_are_those_of_the_classes_whatever_their_order():
    order = RANDOM.permutation(400)
    mixed = (TRAIN[order], [NAMES[place] for place in order])
    one = linear_probe((TRAIN, NAMES), (VAL, NAMES), (TEST, {"species": NAMES}), part="test")
    other = linear_probe(mixed, (VAL, NAMES), (TEST, {"species": NAMES}), part="test")
    assert one.scores["species/test/macro"].value == pytest.approx(other.scores["species/test/macro"].value, abs=0.01)


def test_unnamed_specimens_and_species_that_were_not_fitted():
    train = [name if place % 2 else None for place, name in enumerate(NAMES)]
    test = ["Bus new", *NAMES[1:]]
    found = linear_probe((TRAIN, train), (VAL, train), (TEST, {"species": test}), part="test")
    assert found.counts["fitted"] == 200
    assert found.counts["species: of these, names that were not learnt"] >= 1


def test_specimens_that_are_all_alike_within_a_species_are_told_apart():
    vectors = np.array([[0, 1], [0, 1], [1, 1], [1, 1]], np.float32)
    names = ["Aus a", "Aus a", "Aus b", "Aus b"]
    found = linear_probe((vectors, names), (vectors, names), (vectors, {"species": names}), part="test")
    assert found.scores["species/test/micro"].value == 1


def test_what_cannot_be_fitted_or_chosen_is_an_error():
    one = ["Aus a"] * 400
    with pytest.raises(ValueError, match="1 species to be told apart: a probe needs two or more"):
        linear_probe((TRAIN, one), (VAL, one), (TEST, {"species": one}), part="test")
    with pytest.raises(ValueError, match="no species of the specimens that the probe is chosen on"):
        linear_probe((TRAIN, NAMES), (VAL, ["Bus x"] * 399 + [None]), (TEST, {"species": NAMES}), part="test")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"solver": "lbfgs"}, "use one of discriminant, sgd"),
        ({"shrinkages": (0.0,)}, "above 0"),
        ({"shrinkages": ()}, "above"),
    ],
)
def test_impossible_settings_say_what_is_possible(wrong, message):
    with pytest.raises(ValueError, match=message):
        Probe(**wrong)
