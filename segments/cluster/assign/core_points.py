"""The cluster of the nearest core point, if it is near enough: what density clustering leaves.

DBSCAN gives a border point to the cluster of a core point within its radius; a new visitor is
treated as one. Visitors near no core point are noise, and are told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from segments.cluster.assign.base import NOISE, Assigner, floats, integers, new_labels
from segments.cluster.assign.centroids import scaling_arrays, scaling_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels
    from segments.cluster.scaling import RobustScaling

_ROWS_AT_ONCE = 4_096


class CorePoints(Assigner):
    """Nearest core point within the radius of its cluster.

    Args:
        scaling: of the features that count.
        points: scaled core points, shape (n_points, n_columns).
        point_labels: cluster of each of them, shape (n_points,).
        radii: how near a member has to be, by cluster, in scaled units, shape (n_labels,).

    Example:
        >>> from segments.cluster.scaling import RobustScaling
        >>> scaling = RobustScaling(np.array([0]), np.zeros(1), np.ones(1))
        >>> points = np.array([[0.0], [2.0]])
        >>> model = CorePoints(scaling, points, np.array([0, 1]), np.array([0.5, 0.5]))
        >>> model.labels(np.array([[0.4], [1.0], [1.6]])).tolist()
        [0, -1, 1]
    """

    kind: ClassVar[str] = "density"

    def __init__(
        self, scaling: RobustScaling, points: Floats, point_labels: Labels, radii: Floats
    ) -> None:
        self.scaling = scaling
        self.points = points
        self.point_labels = point_labels
        self.radii = radii
        self.n_labels = len(radii)
        self._offsets = (points**2).sum(axis=1)
        self._directions = -2.0 * points

    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """See `Assigner.label`."""
        if not self.n_labels:
            return NOISE
        scaled = self.scaling.apply(vector)
        scores = self._directions @ scaled + self._offsets
        nearest = int(scores.argmin())
        label = int(self.point_labels[nearest])
        difference = self.points[nearest] - scaled  # exact, where the sum above would cancel
        return label if difference @ difference <= self.radii[label] ** 2 else NOISE

    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """See `Assigner.labels`."""
        found = np.full(len(vectors), NOISE, np.intp)
        if not self.n_labels:
            return found
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            scaled = self.scaling.apply(vectors[start : start + _ROWS_AT_ONCE])
            nearest = (scaled @ self._directions.T + self._offsets).argmin(axis=1)
            labels = self.point_labels[nearest]
            apart = ((self.points[nearest] - scaled) ** 2).sum(axis=1)
            near = apart <= self.radii[labels] ** 2
            found[start : start + _ROWS_AT_ONCE] = np.where(near, labels, NOISE)
        return found

    def reordered(self, order: Sequence[int]) -> Self:
        """See `Assigner.reordered`."""
        labels = new_labels(order)[self.point_labels]
        return type(self)(self.scaling, self.points, labels, self.radii[list(order)])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {
            **scaling_arrays(self.scaling),
            "points": self.points,
            "point_labels": self.point_labels,
            "radii": self.radii,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        scaling = scaling_from(arrays, n_features)
        points = floats(arrays["points"], (None, len(scaling.columns)), "points")
        radii = floats(arrays["radii"], (None,), "radii")
        labels = integers(arrays["point_labels"], (len(points),), "point_labels", len(radii))
        return cls(scaling, points, labels, radii)
