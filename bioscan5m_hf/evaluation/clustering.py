"""Zero-shot clustering: do the clusters of embeddings that no label has touched agree with taxonomy?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .agreement import Agreement, compare
from .dendrogram import Dendrogram
from .intervals import resampled_means
from .labels import class_codes, codes_of
from .reduction import Reduction
from .results import Outcome, Score, score_name
from .silhouette import silhouettes


Integers = npt.NDArray[np.int64]
Names: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str | None]

MEASURES = ("ami", "ami_min", "homogeneity", "completeness", "v_measure", "ari")
SPECIES_COUNT, RANK_COUNT, HEIGHT = "k = species", "k = rank", "unknown k"
"""The rules for the number of clusters, as they stand in the names of scores: as many as there are species, at every
rank, as in the paper; as many as the rank has names; or what a Ward's distance leaves."""

MAIN = score_name("species", SPECIES_COUNT, "ami")
_GROUPS = 20
_HEIGHTS = 60


@dataclass(frozen=True)
class Clustering:
    """How specimens are clustered; the published rule (BIOSCAN-5M, arXiv 2406.12723) but for what is said here.

    Args:
        reduction: before clustering.
        seeds: of the reduction, where it is random; there one seed was published.
        missing: leave specimens without a name of a rank out of its scores, or, as published, count them as a class.
        height: Ward's distance from which clusters are kept apart where their number is taken as unknown; see
            `best_height`. None leaves those scores out.
        sample: specimens whose silhouettes are averaged.
        drawn: specimens of the scatter plot, at most; 0 for no plot.

    Raises:
        ValueError: another way with missing names, or no seed.

    Examples:
        >>> Clustering(Reduction("pca")).seeds
        (0, 1, 2)
    """

    reduction: Reduction = field(default_factory=Reduction)
    seeds: tuple[int, ...] = (0, 1, 2)
    missing: Literal["leave_out", "class"] = "leave_out"
    height: float | None = None
    sample: int = 5000
    drawn: int = 5000

    def __post_init__(self) -> None:
        if self.missing not in ("leave_out", "class"):
            raise ValueError(f"missing is {self.missing!r}: use 'leave_out' or 'class'")
        if not self.seeds:
            raise ValueError("seeds are none: give one or more")

    def used_seeds(self) -> tuple[int, ...]:
        """Give the seeds that make a difference: all, or the first where nothing is random."""
        return self.seeds if self.reduction.random else self.seeds[:1]


def cluster(
    embeddings: npt.NDArray[np.floating],
    labels: Mapping[str, Names],
    *,
    barcodes: Names | None = None,
    how: Clustering | None = None,
) -> Outcome:
    """Reduce embeddings, join them to one Ward dendrogram, and compare its cuts with the names of every rank.

    An interval is that of leaving species out in twenty groups (delete-a-group jackknife, Kott 2001, Journal of
    Official Statistics 17:521), for the clusters of the first seed. Drawing species with replacement would not do: a
    specimen that is drawn twice always shares a cluster with itself.

    Args:
        embeddings: of DNA, of images, or of both side by side (`fusion.concatenated`), shape (n, width).
        labels: rank (or `dna_bin`) → name of each specimen, None where it has none; with `species`, shape (n,).
        barcodes: sequence of each specimen; where given, only the first specimen of each barcode is kept, whatever
            N the barcode ends with, as published for DNA.
        how: settings; the published ones by default.

    Returns:
        For each rank that has two names or more, each rule and each measure a score, named such as
        `genus/k = species/ami`; beside them the mean silhouettes of the cuts.

    Raises:
        ValueError: columns of another length, no species, or an embedding that is not finite.

    Examples:
        >>> vectors = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], np.float32)
        >>> names = {"genus": ["Apis", "Apis", "Aus", "Aus"], "species": ["Apis a", "Apis a", "Aus b", "Aus b"]}
        >>> cluster(vectors, names, how=Clustering(Reduction("none"))).scores["genus/k = species/ami"].value
        1.0
    """
    how = how or Clustering()
    rows = np.arange(len(embeddings)) if barcodes is None else unique_barcodes(barcodes)
    _check(embeddings, labels, barcodes)
    classes = {rank: class_codes(names)[rows] for rank, names in labels.items()}
    classes = {rank: _counted(codes, how.missing) for rank, codes in classes.items() if (codes >= 0).any()}
    classes = {rank: codes for rank, codes in classes.items() if rank == "species" or _size(codes) > 1}
    if "species" not in classes:
        raise ValueError("no specimen has a species, whose number the clusters are cut to: name them in labels")
    vectors = np.asarray(embeddings)[rows]
    tries = [_one_seed(vectors, classes, seed, how, errors=not number) for number, seed in enumerate(how.used_seeds())]
    sizes = {f"{rank} classes": _size(codes) for rank, codes in classes.items()}
    named = {f"{rank} named": int((codes >= 0).sum()) for rank, codes in classes.items()}
    counts = {"specimens": len(embeddings), "clustered": len(rows)} | sizes | named
    order = labels.get("order")
    extras = {} if order is None or not how.drawn else {"scatter": scatter(vectors, pa.array(order).take(rows), how)}
    return Outcome(_joined(tries, classes, len(rows)), counts, _settings(how, barcodes is not None), extras)


def unique_barcodes(barcodes: Names) -> npt.NDArray[np.intp]:
    """Give the place of the first specimen of each barcode, ascending; N at the end of a barcode do not count.

    Args:
        barcodes: sequences, shape (n,).

    Examples:
        >>> unique_barcodes(["ACG", "ACGNN", "ACT"]).tolist()
        [0, 2]
    """
    array = barcodes if isinstance(barcodes, pa.Array | pa.ChunkedArray) else pa.array(barcodes, pa.string())
    _, first = np.unique(codes_of(pc.utf8_rtrim(array, "N")), return_index=True)
    return np.sort(first)


def best_height(embeddings: npt.NDArray[np.floating], species: Names, *, how: Clustering | None = None) -> float:
    """Choose Ward's distance on other specimens, such as those of `val` and `val_unseen`, for an unknown k.

    Args:
        embeddings: shape (n, width).
        species: of each specimen, None where it has none; shape (n,).
        how: settings; the first seed is used.

    Returns:
        Of up to 60 distances, the one whose clusters agree best with species by adjusted mutual information.

    Raises:
        ValueError: fewer than three specimens, or none with a species.

    Examples:
        >>> vectors = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], np.float32)
        >>> height = best_height(vectors, ["a", "a", "b", "b"], how=Clustering(Reduction("none")))
        >>> 1 < height < 14
        True
    """
    how = how or Clustering()
    codes = class_codes(species)
    named = codes >= 0
    if len(embeddings) < 3 or not named.any():
        raise ValueError(
            f"{len(embeddings)} specimens, {int(named.sum())} with a species: a height needs three, named"
        )
    tree = Dendrogram.of(how.reduction.reduce(embeddings, how.seeds[0]))
    joins = np.unique(len(tree) - 1 - np.geomspace(1, len(tree) - 1, _HEIGHTS).astype(int))
    between = [float(tree.heights[max(join - 1, 0)] + tree.heights[join]) / 2 for join in joins]
    return max(between, key=lambda height: compare(codes[named], tree.cut_at(height)[named]).ami)


def scatter(vectors: npt.NDArray[np.floating], order: pa.Array, how: Clustering) -> dict[str, list[Any]]:
    """Lay a sample of specimens out in two dimensions: of UMAP where that reduces, else of principal components.

    Args:
        vectors: shape (n, width).
        order: of each specimen, shape (n,).
        how: settings.

    Returns:
        `x`, `y` and `order`.
    """
    kept = np.arange(len(vectors))
    if len(kept) > how.drawn:
        kept = np.sort(np.random.default_rng(how.seeds[0]).choice(kept, how.drawn, replace=False))
    method: Literal["umap", "pca"] = "umap" if how.reduction.method == "umap" else "pca"
    flat = replace(how.reduction, method=method, dimensions=2).reduce(vectors[kept], how.seeds[0]).round(3)
    y = flat[:, 1] if flat.shape[1] > 1 else np.zeros(len(flat))
    return {"x": flat[:, 0].tolist(), "y": y.tolist(), "order": order.take(kept).to_pylist()}


@dataclass(frozen=True)
class _Try:
    """What one seed gave: name → value, and name → standard error where it was asked for."""

    values: dict[str, float]
    errors: dict[str, float]


def _one_seed(
    vectors: npt.NDArray[np.floating], classes: Mapping[str, Integers], seed: int, how: Clustering, *, errors: bool
) -> _Try:
    points = how.reduction.reduce(vectors, seed)
    tree = Dendrogram.of(points)
    cuts = {f"k = {rank}": tree.cut(_size(codes)) for rank, codes in classes.items()}
    unknown = {} if how.height is None else {HEIGHT: tree.cut_at(how.height)}
    found = _Try({}, {})
    for rank, codes in classes.items():
        rules = {SPECIES_COUNT: cuts[SPECIES_COUNT], RANK_COUNT: cuts[f"k = {rank}"]} | unknown
        for rule, clusters in rules.items():
            for measure, value in _measures(codes, clusters).items():
                found.values[score_name(rank, rule, measure)] = value
            if errors:
                for measure, value in _errors(codes, clusters, classes["species"], seed).items():
                    found.errors[score_name(rank, rule, measure)] = value
    asked, apart = silhouettes(points, cuts | unknown, sample=how.sample, seed=seed)
    for name, given in apart.items():
        found.values[f"silhouette/{name}"] = float(given.mean())
        if errors:
            found.errors[f"silhouette/{name}"] = float(resampled_means(given, _own(classes["species"])[asked]).std())
    for name, clusters in unknown.items():
        found.values[f"clusters/{name}"] = float(_size(clusters))
    return found


def _measures(codes: Integers, clusters: Integers) -> dict[str, float]:
    agreed: Agreement = compare(codes[codes >= 0], clusters[codes >= 0])
    return {measure: min(1.0, float(getattr(agreed, measure))) for measure in MEASURES}  # 1 is passed by rounding


def _errors(codes: Integers, clusters: Integers, species: Integers, seed: int) -> dict[str, float]:
    """Give standard errors from leaving a twentieth of the species out in turn; a missing one stands for itself."""
    _, own = np.unique(_own(species), return_inverse=True)
    groups = min(_GROUPS, int(own.max()) + 1)
    turn = np.random.default_rng(seed).permutation(int(own.max()) + 1)[own] % groups
    kept = [(turn != group) for group in range(groups)]
    kept = [rows for rows in kept if (codes[rows] >= 0).any()]
    if len(kept) < 2:
        return {}
    without = [_measures(codes[rows], clusters[rows]) for rows in kept]
    share = (len(kept) - 1) / len(kept)
    return {name: float(np.sqrt(share * _squares([one[name] for one in without]))) for name in MEASURES}


def _own(species: Integers) -> Integers:
    """Number missing species, each as one of its own."""
    return np.where(species >= 0, species, species.max(initial=-1) + 1 + np.arange(len(species)))


def _squares(values: list[float]) -> float:
    return float(((np.array(values) - np.mean(values)) ** 2).sum())


def _joined(tries: Sequence[_Try], classes: Mapping[str, Integers], clustered: int) -> dict[str, Score]:
    """Make scores of what the seeds gave: the median, the range, and the interval of the first seed's error."""
    scores = {}
    for name in tries[0].values:
        given = [one.values[name] for one in tries if name in one.values]
        value, codes = statistics.median(given), classes.get(name.split("/")[0])
        error = tries[0].errors.get(name)
        ends = {} if error is None else {"low": value - 1.96 * error, "high": min(1.0, value + 1.96 * error)}
        n = clustered if codes is None else int((codes >= 0).sum())
        scores[name] = Score(value, **ends, n=n, seeds=tuple(given) if len(tries) > 1 else ())
    return scores


def _counted(codes: Integers, missing: str) -> Integers:
    """Give missing names a class of their own where that is wanted."""
    return np.where(codes < 0, codes.max() + 1, codes) if missing == "class" else codes


def _size(codes: Integers) -> int:
    return len(np.unique(codes[codes >= 0]))


def _settings(how: Clustering, unique: bool) -> dict[str, Any]:
    return {
        "reduction": how.reduction.settings(),
        "seeds": list(how.used_seeds()),
        "clusterer": "Ward's dendrogram of Euclidean distances (fastcluster.linkage_vector), cut for each number",
        "missing names": how.missing,
        "height": how.height,
        "silhouette": f"mean over at most {how.sample} specimens, each compared with all",
        "specimens": "the first of each barcode, N at its end stripped" if unique else "all that were prepared",
    }


def _check(embeddings: npt.NDArray[np.floating], labels: Mapping[str, Names], barcodes: Names | None) -> None:
    columns = dict(labels) | ({} if barcodes is None else {"barcodes": barcodes})
    for name, column in columns.items():
        if len(column) != len(embeddings):
            raise ValueError(f"{len(embeddings)} embeddings and {len(column)} of {name}: give one for each specimen")
