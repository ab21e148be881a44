"""A small neural encoder as plain arrays, and its forward pass in numpy: what serving runs.

No torch here: `segments.cluster.autoencoder` trains the weights, `encoded` finds the nearest
centroid in the space that they make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from segments.cluster.assign.base import floats
from segments.cluster.assign.centroids import scaling_arrays, scaling_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats
    from segments.cluster.scaling import RobustScaling

WEIGHTS: Final = ("hidden", "hidden_bias", "code", "code_bias", "axes")


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Two tanh layers, then axes along which distances are measured.

        z = A tanh(V tanh(W x + b) + c),  x the scaled features

    Args:
        scaling: of the features that count.
        hidden: W, shape (n_hidden, n_columns).
        hidden_bias: b, shape (n_hidden,).
        code: V, shape (n_dimensions, n_hidden).
        code_bias: c, shape (n_dimensions,).
        axes: A, shape (n_axes, n_dimensions).

    Example:
        >>> from segments.cluster.scaling import RobustScaling
        >>> scaling = RobustScaling(np.array([0]), np.zeros(1), np.ones(1))
        >>> one = np.ones((1, 1))
        >>> encoder = Encoder(scaling, one, np.zeros(1), one, np.zeros(1), 2.0 * one)
        >>> encoder.encode(np.array([[0.0], [9.0]])).round(2).tolist()
        [[0.0], [1.52]]
    """

    scaling: RobustScaling
    hidden: Floats
    hidden_bias: Floats
    code: Floats
    code_bias: Floats
    axes: Floats

    @property
    def has_foresight(self) -> bool:
        """Whether one of the axes is what an outcome was foreseen along."""
        return len(self.axes) > len(self.code)

    def encode(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Where vectors of shape (n, n_features) or (n_features,) lie: (..., n_axes)."""
        seen = np.tanh(self.scaling.apply(vectors) @ self.hidden.T + self.hidden_bias)
        placed: Floats = np.tanh(seen @ self.code.T + self.code_bias) @ self.axes.T
        return placed

    def towards(self, other: Self, way: float) -> Self:
        """The encoder part of the way to another, trained on from this one under its scaling."""
        return replace(
            self,
            **{
                name: (1.0 - way) * getattr(self, name) + way * getattr(other, name)
                for name in WEIGHTS
            },
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that `from_arrays` needs."""
        return {**scaling_arrays(self.scaling), **{name: getattr(self, name) for name in WEIGHTS}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """The encoder of saved arrays.

        Raises:
            SegmentationError: if they hold what no encoder can.
        """
        scaling = scaling_from(arrays, n_features)
        hidden = floats(arrays["hidden"], (None, len(scaling.columns)), "hidden")
        code = floats(arrays["code"], (None, len(hidden)), "code")
        return cls(
            scaling,
            hidden,
            floats(arrays["hidden_bias"], (len(hidden),), "hidden_bias"),
            code,
            floats(arrays["code_bias"], (len(code),), "code_bias"),
            floats(arrays["axes"], (None, len(code)), "axes"),
        )
