"""The nearest of some centroids: what k-means leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from segments.cluster.assign.base import REMEDY, Assigner, floats, integers
from segments.cluster.scaling import RobustScaling
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels


class Centroids(Assigner):
    """Nearest centroid in a scaled space.

    Args:
        scaling: of the features that count.
        centroids: scaled, shape (n_labels, n_columns).

    Example:
        >>> scaling = RobustScaling(np.array([0]), np.zeros(1), np.ones(1))
        >>> Centroids(scaling, np.array([[0.0], [2.0]])).labels(np.array([[0.4], [1.6]])).tolist()
        [0, 1]
    """

    kind: ClassVar[str] = "kmeans"

    def __init__(self, scaling: RobustScaling, centroids: Floats) -> None:
        self.scaling = scaling
        self.centroids = centroids
        self.n_labels = len(centroids)
        # |x - c|² without its part that is the same for all c: |c|² - 2 c·x.
        self._offsets = (centroids**2).sum(axis=1)
        self._directions = -2.0 * centroids

    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """See `Assigner.label`."""
        scaled = self.scaling.apply(vector)
        return int((self._directions @ scaled + self._offsets).argmin())

    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """See `Assigner.labels`."""
        scores = self.scaling.apply(vectors) @ self._directions.T + self._offsets
        return np.asarray(scores.argmin(axis=1), np.intp)

    def reordered(self, order: Sequence[int]) -> Self:
        """See `Assigner.reordered`."""
        return type(self)(self.scaling, self.centroids[list(order)])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {**scaling_arrays(self.scaling), "centroids": self.centroids}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        scaling = scaling_from(arrays, n_features)
        n_columns = len(scaling.columns)
        return cls(scaling, floats(arrays["centroids"], (None, n_columns), "centroids"))


def scaling_arrays(scaling: RobustScaling) -> dict[str, npt.NDArray[Any]]:
    """A scaling as arrays, for the models that start with one."""
    return {"columns": scaling.columns, "centre": scaling.centre, "scale": scaling.scale}


def scaling_from(arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> RobustScaling:
    """The scaling of saved arrays.

    Raises:
        SegmentationError: if they hold what no scaling can.
    """
    columns = integers(arrays["columns"], (None,), "columns", n_features)
    centre = floats(arrays["centre"], (len(columns),), "centre")
    scale = floats(arrays["scale"], (len(columns),), "scale")
    if not (scale > 0.0).all():
        raise SegmentationError(f"array scale must be positive; {REMEDY}")
    return RobustScaling(columns, centre, scale)
