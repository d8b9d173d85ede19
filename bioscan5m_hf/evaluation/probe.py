"""Linear probes: is the species written in frozen embeddings so that one linear layer reads it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .answers import Columns, Mask, Names, array, score_names
from .encoder import Vectors
from .results import Outcome


Integers = npt.NDArray[np.int64]
SOLVERS = ("discriminant", "sgd")
_SCORES_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Layer:
    """A linear layer over standardised embeddings.

    Args:
        mean: taken off first, shape (width,).
        scale: divided by then, shape (width,).
        weight: shape (width, classes).
        bias: shape (classes,).
    """

    mean: Vectors
    scale: Vectors
    weight: Vectors
    bias: Vectors

    def predict(self, vectors: Vectors) -> Integers:
        """Give the class with the highest score, of equal ones the first.

        Args:
            vectors: shape (n, width).

        Returns:
            Shape (n,).
        """
        found = np.empty(len(vectors), np.int64)
        rows = max(1, _SCORES_AT_ONCE // len(self.bias))
        for start in range(0, len(vectors), rows):
            part = (vectors[start : start + rows] - self.mean) / self.scale
            found[start : start + rows] = (part @ self.weight + self.bias).argmax(axis=1)
        return found


@dataclass(frozen=True)
class Probe:
    """How the layer is fitted.

    `discriminant` is linear discriminant analysis: one covariance within species for all, shrunk towards a multiple
    of the identity as far as is best on `val` (Friedman 1989, doi:10.1080/01621459.1989.10478752, with equal
    covariances), and the species' shares as priors. It has one solution, which a Cholesky decomposition finds, so that
    ten thousand species take seconds. `sgd` is the rule of BIOSCAN-5M's authors.

    Args:
        solver: `discriminant`, or `sgd`.
        shrinkages: of the discriminant, of which one is chosen, from above 0 to 1; of equally good ones the greatest.
        epochs: of SGD.
        batch_size: of SGD.
        learning_rate: of SGD.
        momentum: of SGD.
        weight_decay: of SGD.
        seed: of SGD's first weights and order.

    Raises:
        ValueError: there is no such solver, or a shrinkage that is none.

    Examples:
        >>> Probe(solver="sgd").epochs
        200
    """

    solver: str = "discriminant"
    shrinkages: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ValueError(f"there is no solver {self.solver!r}: use one of {', '.join(SOLVERS)}")
        if not self.shrinkages or not all(0 < shrinkage <= 1 for shrinkage in self.shrinkages):
            raise ValueError(f"shrinkages are {self.shrinkages}: use numbers above 0, up to 1")

    def fit(
        self, vectors: Vectors, classes: Integers, tried: Callable[[Layer], float]
    ) -> tuple[Layer, dict[str, float]]:
        """Fit a layer.

        Args:
            vectors: shape (n, width).
            classes: class of each, from 0 without a gap, shape (n,).
            tried: gives the accuracy of a layer on `val`.

        Returns:
            The layer, and what was chosen.
        """
        if self.solver == "sgd":
            layer = _by_sgd(self, vectors, classes)
            return layer, {"accuracy on val": tried(layer)}
        best: tuple[float, float, Layer] | None = None
        moments = Moments.of(vectors, classes)
        for shrinkage in sorted(self.shrinkages):
            layer = moments.discriminant(shrinkage)
            accuracy = tried(layer)
            if best is None or accuracy >= best[0]:
                best = accuracy, shrinkage, layer
        assert best is not None  # there is a shrinkage
        return best[2], {"accuracy on val": best[0], "shrinkage": best[1]}

    def settings(self) -> dict[str, Any]:
        """Give what the solver looks at."""
        of_sgd = ("epochs", "batch_size", "learning_rate", "momentum", "weight_decay")
        if self.solver == "sgd":
            return {"solver": self.solver} | {name: getattr(self, name) for name in of_sgd}
        return {"solver": self.solver, "shrinkages": list(self.shrinkages)}


@dataclass(frozen=True)
class Moments:
    """What linear discriminant analysis needs to know of the embeddings, each number standardised.

    Args:
        mean: of all, shape (width,).
        scale: standard deviation of all, 1 where there is none; shape (width,).
        axes: what the rest is written in, shape (dimensions, width): all, or of fewer embeddings than numbers those in
            which they differ, which changes nothing but the time it takes.
        means: of the classes, shape (classes, dimensions).
        within: covariance within classes, shape (dimensions, dimensions).
        shares: of the classes, shape (classes,).
    """

    mean: Vectors
    scale: Vectors
    axes: Vectors
    means: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors, classes: Integers) -> Moments:
        """Measure them.

        Args:
            vectors: shape (n, width).
            classes: class of each, from 0 without a gap, shape (n,).
        """
        from scipy.sparse import csr_array

        mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 1e-6 * np.abs(mean).max(initial=0), scale, 1.0)
        standard = ((vectors - mean) / scale).astype(np.float32)
        axes = np.eye(vectors.shape[1], dtype=np.float32)
        if len(vectors) < vectors.shape[1]:
            axes = np.linalg.svd(standard, full_matrices=False)[2]
            standard = standard @ axes.T
        counts = np.bincount(classes)
        members = csr_array((np.ones(len(classes), np.float32), (classes, np.arange(len(classes)))))
        means = np.asarray(members @ standard, np.float64) / counts[:, None]
        within = np.zeros((standard.shape[1],) * 2)
        for start in range(0, len(vectors), 8192):
            part = standard[start : start + 8192] - means[classes[start : start + 8192]].astype(np.float32)
            within += part.T @ part
        within /= max(1, len(vectors) - len(counts))
        centre, spread = mean.astype(np.float32), scale.astype(np.float32)
        return cls(centre, spread, axes, means, within, counts / counts.sum())

    def discriminant(self, shrinkage: float) -> Layer:
        """Give the layer whose scores are the classes' log probabilities, but for what is the same for all.

        Args:
            shrinkage: share of the mean variance's multiple of the identity in the covariance, above 0.
        """
        from scipy.linalg import cho_factor, cho_solve

        variance = float(np.trace(self.within)) / self.axes.shape[1] or 1.0
        shrunk = (1 - shrinkage) * self.within + shrinkage * variance * np.eye(len(self.within))
        weight = cho_solve(cho_factor(shrunk, overwrite_a=True), self.means.T)
        bias = np.log(self.shares) - (self.means * weight.T).sum(axis=1) / 2
        back = self.axes.T @ weight.astype(np.float32) if len(self.axes) < self.axes.shape[1] else weight
        return Layer(self.mean, self.scale, back.astype(np.float32), bias.astype(np.float32))


def linear_probe(
    train: tuple[Vectors, Names],
    val: tuple[Vectors, Names],
    queries: tuple[Vectors, Columns],
    *,
    part: str,
    rank: str = "species",
    how: Probe | None = None,
    masks: Mapping[str, Mask] | None = None,
    seed: int = 0,
) -> Outcome:
    """Fit a linear layer to embeddings and score the names that it gives.

    Args:
        train: embeddings, shape (n, width), and the name of each; those without a name are left out.
        val: the same, for the choice of what is not fitted.
        queries: the same, with rank → true names, `species` among them.
        part: what the queries are called, such as their split.
        rank: of the names.
        how: settings.
        masks: name of a stratum → whether each query belongs to it.
        seed: what the intervals are drawn from.

    Raises:
        ValueError: fewer than two classes to fit, or no name on `val` that was fitted.

    Examples:
        >>> vectors = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], np.float32)
        >>> names = ["Apis a", "Apis a", "Aus b", "Aus b"]
        >>> found = linear_probe((vectors, names), (vectors, names), (vectors, {"species": names}), part="test")
        >>> found.scores["species/test/micro"].value
        1.0
    """
    how = how or Probe()
    vectors, coded = train[0], array(train[1]).dictionary_encode()
    labels = coded.dictionary.take(pc.array_sort_indices(coded.dictionary))
    classes = _codes(train[1], labels)
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} {rank} to be told apart: a probe needs two or more")
    truth = _codes(val[1], labels)
    there = np.asarray(array(val[1]).is_valid())
    if not (truth >= 0).any():
        raise ValueError(f"no {rank} of the specimens that the probe is chosen on is among those it is fitted to")
    layer, chosen = how.fit(
        vectors[classes >= 0],
        classes[classes >= 0],
        lambda layer: float((layer.predict(val[0][there]) == truth[there]).mean()),
    )
    named = {rank: labels.take(pa.array(layer.predict(queries[0])))}
    found = score_names(named, queries[1], part=part, masks=masks, learnt={rank: labels}, seed=seed)
    counts = {"fitted": int((classes >= 0).sum()), "classes": len(labels), "chosen on": int(there.sum())}
    return replace(found, counts=counts | dict(found.counts), settings=how.settings() | chosen)


def _codes(names: Names, labels: pa.Array) -> Integers:
    return np.asarray(pc.index_in(array(names), labels).fill_null(-1)).astype(np.int64)


def _by_sgd(how: Probe, vectors: Vectors, classes: Integers) -> Layer:
    """Fit by stochastic gradient descent on cross-entropy, after one mean and deviation for the whole matrix."""
    import torch

    mean, scale = float(vectors.mean(dtype=np.float64)), float(vectors.std(dtype=np.float64)) or 1.0
    standard = torch.from_numpy(((vectors - mean) / scale).astype(np.float32))
    target, width = torch.from_numpy(classes), vectors.shape[1]
    generator = torch.Generator().manual_seed(how.seed)
    layer = torch.nn.Linear(width, int(classes.max()) + 1)
    with torch.no_grad():
        for parameter in layer.parameters():  # as torch does by default, from a seed of its own
            parameter.uniform_(-(width**-0.5), width**-0.5, generator=generator)
    rates = {"lr": how.learning_rate, "momentum": how.momentum, "weight_decay": how.weight_decay}
    optimiser = torch.optim.SGD(layer.parameters(), **rates)  # type: ignore[arg-type]
    for _ in range(how.epochs):
        for some in torch.randperm(len(target), generator=generator).split(how.batch_size):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(layer(standard[some]), target[some]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    weight, bias = (parameter.detach().numpy() for parameter in (layer.weight, layer.bias))
    taken_off, divided_by = (np.full(width, number, np.float32) for number in (mean, scale))
    return Layer(taken_off, divided_by, np.ascontiguousarray(weight.T), bias)
