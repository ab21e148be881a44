"""The nearest centroid in the space of a neural encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from segments.cluster.assign.base import Assigner, floats
from segments.cluster.assign.encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels

_ROWS_AT_ONCE: Final = 8_192
"""Rows whose hidden layer stays in the processor's cache."""


class EncodedCentroids(Assigner):
    """Nearest centroid among encoded visitors.

    Args:
        encoder: places a vector.
        centroids: in its space, shape (n_labels, n_axes).

    Example:
        >>> from segments.cluster.scaling import RobustScaling
        >>> scaling = RobustScaling(np.array([0]), np.zeros(1), np.ones(1))
        >>> one, zero = np.ones((1, 1)), np.zeros(1)
        >>> encoder = Encoder(scaling, one, zero, one, zero, one)
        >>> model = EncodedCentroids(encoder, np.array([[-0.5], [0.5]]))
        >>> model.labels(np.array([[-2.0], [0.3]])).tolist()
        [0, 1]
    """

    kind: ClassVar[str] = "neural"

    def __init__(self, encoder: Encoder, centroids: Floats) -> None:
        self.encoder = encoder
        self.centroids = centroids
        self.n_labels = len(centroids)
        self._offsets = (centroids**2).sum(axis=1)
        self._directions = -2.0 * centroids

    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """See `Assigner.label`."""
        return int((self._directions @ self.encoder.encode(vector) + self._offsets).argmin())

    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """See `Assigner.labels`."""
        found = np.empty(len(vectors), np.intp)
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            placed = self.encoder.encode(vectors[start : start + _ROWS_AT_ONCE])
            scores = placed @ self._directions.T + self._offsets
            found[start : start + _ROWS_AT_ONCE] = scores.argmin(axis=1)
        return found

    def reordered(self, order: Sequence[int]) -> Self:
        """See `Assigner.reordered`."""
        return type(self)(self.encoder, self.centroids[list(order)])

    def towards(self, other: Self, way: float) -> Self:
        """The model part of the way to one that was trained on from this one."""
        centroids = (1.0 - way) * self.centroids + way * other.centroids
        return type(self)(self.encoder.towards(other.encoder, way), centroids)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {**self.encoder.arrays(), "centroids": self.centroids}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        encoder = Encoder.from_arrays(arrays, n_features)
        return cls(encoder, floats(arrays["centroids"], (None, len(encoder.axes)), "centroids"))
