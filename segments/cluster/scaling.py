"""Picks the features that count and brings them to one scale, whatever their tails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

CLIP: Final = 3.0
_DECILES_OF_NORMAL: Final = 2.563
"""Distance between the outer deciles of a standard normal distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class RobustScaling:
    """(x - centre) / scale, clipped to ±3, so that no outlier makes a cluster of its own.

    Args:
        columns: positions of the features that count, shape (n_columns,).
        centre: medians, shape (n_columns,).
        scale: spread between the outer deciles in units of a normal deviation, shape (n_columns,).

    Example:
        >>> scaling = RobustScaling.fit(np.array([[0.0], [1.0], [2.0], [900.0]]), np.array([0]))
        >>> float(scaling.apply(np.array([[1e9]]))[0, 0])
        3.0
    """

    columns: npt.NDArray[np.intp]
    centre: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        vectors: npt.NDArray[np.floating],
        columns: npt.NDArray[np.intp],
        weights: npt.NDArray[np.float64] | None = None,
    ) -> RobustScaling:
        """Centre and scale of the columns; a constant column gets scale 1.

        Args:
            vectors: finite, shape (n_rows, n_features).
            columns: which of the features count.
            weights: how much each of them counts, shape (n_columns,); 1 for all by default.
        """
        values = vectors[:, columns]
        low, centre, high = np.quantile(values.astype(np.float64), [0.1, 0.5, 0.9], axis=0)
        scale = (high - low) / _DECILES_OF_NORMAL
        # Mostly one value, a few others (a rare channel): the deciles agree, the deviation helps.
        deviation = values.std(axis=0, dtype=np.float64)
        scale = np.where(scale > 1e-9, scale, np.where(deviation > 1e-9, deviation, 1.0))
        return cls(columns, centre, scale if weights is None else scale / weights)

    def apply(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The scaled columns of shape (n_rows, n_features) or (n_features,)."""
        values = vectors.take(self.columns, axis=-1)
        scaled: npt.NDArray[np.float64] = (values - self.centre) / self.scale
        return np.minimum(np.maximum(scaled, -CLIP), CLIP)

    def is_of(self, columns: npt.NDArray[np.intp]) -> bool:
        """Whether these are the columns that it scales, in this order."""
        return bool(np.array_equal(self.columns, columns))

    def rescale(
        self, scaled: npt.NDArray[np.float64], before: RobustScaling
    ) -> npt.NDArray[np.float64]:
        """What was scaled by another fit on the same columns, as this one scales it."""
        values = scaled * before.scale + before.centre
        return np.minimum(np.maximum((values - self.centre) / self.scale, -CLIP), CLIP)
