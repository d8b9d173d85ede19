"""Fewer dimensions before clustering: UMAP with the published settings, principal components, or none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import Bioscan5mError


Floats = npt.NDArray[np.float32]
METHODS = ("umap", "pca", "none")


@dataclass(frozen=True)
class Reduction:
    """How embeddings are reduced.

    The defaults are those of BIOSCAN-5M (Gharaee et al. 2024, arXiv 2406.12723). Settings of UMAP alone move the
    published BIN score of BarcodeBERT from 41 to 74, so they belong beside every score.

    Args:
        method: `umap` (McInnes et al. 2018, arXiv 1802.03426), `pca`, or `none`.
        dimensions: that are left; fewer where the embeddings have fewer, or PCA fewer specimens.
        neighbours: of UMAP.
        min_dist: of UMAP.
        metric: of UMAP, between embeddings.

    Raises:
        ValueError: there is no such method.

    Examples:
        >>> Reduction("pca", dimensions=1).reduce(np.array([[0, 0], [1, 1], [2, 2]], np.float32)).shape
        (3, 1)
    """

    method: Literal["umap", "pca", "none"] = "umap"
    dimensions: int = 50
    neighbours: int = 30
    min_dist: float = 0.0
    metric: str = "euclidean"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"there is no reduction {self.method!r}: use one of {', '.join(METHODS)}")
        if self.dimensions < 1:
            raise ValueError(f"dimensions is {self.dimensions}: use a number from 1")

    @property
    def random(self) -> bool:
        """Whether another seed gives another result."""
        return self.method == "umap"

    @property
    def least(self) -> int:
        """Fewest embeddings that can be reduced."""
        return max(self.neighbours, self.dimensions + 1) + 1 if self.method == "umap" else 1

    def reduce(self, embeddings: npt.NDArray[np.floating], seed: int = 0) -> Floats:
        """Reduce embeddings, float32 of shape (n, dimensions).

        Args:
            embeddings: shape (n, width).
            seed: of UMAP, which gives the same for the same seed on one machine, in one thread.

        Raises:
            ValueError: an embedding is not finite, or there are too few for UMAP.
            Bioscan5mError: umap-learn is not installed.
        """
        given = np.ascontiguousarray(embeddings, np.float32)
        finite = np.isfinite(given).all(axis=1)
        if given.ndim != 2 or not finite.all():
            raise ValueError(f"the embedding in row {int((~finite).argmax())} is not finite")
        if self.method == "umap":
            return self._umap(given, seed)
        return given if self.method == "none" else self._pca(given)

    def settings(self) -> dict[str, Any]:
        """Give what was chosen, and what computed it."""
        if self.method != "umap":
            return {"method": self.method} | ({} if self.method == "none" else {"dimensions": self.dimensions})
        return asdict(self) | {"umap-learn": version("umap-learn"), "everything else": "umap-learn's defaults"}

    def _umap(self, embeddings: Floats, seed: int) -> Floats:
        import torch

        try:
            from umap import UMAP
        except ImportError as error:
            raise Bioscan5mError("umap-learn is not installed: pip install 'bioscan5m-hf[eval]'") from error
        if len(embeddings) < self.least:  # the spectral start needs as many vectors and one more
            raise ValueError(
                f"UMAP to {self.dimensions} dimensions with {self.neighbours} neighbours needs more than "
                f"{self.least - 1} specimens, not {len(embeddings)}: choose fewer of them, or the reduction 'pca' or "
                "'none'"
            )
        settings = {"n_components": self.dimensions, "n_neighbors": self.neighbours, "min_dist": self.min_dist}
        umap = UMAP(**settings, metric=self.metric, random_state=seed, n_jobs=1)
        threads = torch.get_num_threads()
        try:
            return np.asarray(umap.fit_transform(embeddings), np.float32)
        finally:  # numba sets OpenMP's threads, which are torch's, too
            torch.set_num_threads(threads)

    def _pca(self, embeddings: Floats) -> Floats:
        from sklearn.decomposition import PCA

        kept = min(self.dimensions, *embeddings.shape)
        solver = "covariance_eigh" if embeddings.shape[0] >= embeddings.shape[1] else "full"
        return np.asarray(PCA(kept, svd_solver=solver).fit_transform(embeddings), np.float32)
