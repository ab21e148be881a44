"""Random Fourier features: a linear model on them is a kernel machine on the context.

In front of the default policy's model; the map is made once, from the first contexts, and kept.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_algebra import one_thread
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[np.float64]

_SEED = 20_070
_MOST_DEVIATIONS = 4.0


class RandomFeatures:
    """cos and sin of random projections of a standardised context.

        φ(x) = [cos Wᵀx̃; sin Wᵀx̃] / √m,   φ(x)·φ(y) ≈ exp(-‖x̃ - ỹ‖² / (2 ℓ²)),  ℓ² = n_varying

    x̃ is the context with each varying entry centred, scaled and kept within ±4: an entry's unit
    does not matter, nor does a value far beyond what the map was made from. Two contexts are
    typically √2 ℓ apart, so that near ones are alike and far ones are not. Entries of only 0 and 1
    are scaled alike, however rare the 1. Scales are powers of two and centres multiples of them:
    one context more or less leaves the map as it is, as a rule. Rows of W are orthogonal in groups,
    which makes the approximation better at the same size.

    Args:
        n_context: Length of a context.
        n_features: Length of φ, even.

    Example:
        >>> features = RandomFeatures(2, 64)
        >>> features.fit(np.array([[1.0, 10.0], [1.0, 20.0], [1.0, 30.0]]))
        >>> home, near, far = (features.transform(np.array([1.0, v])) for v in (10.0, 11.0, 40.0))
        >>> bool(home @ near > 0.9 > 0.5 > home @ far)
        True

    References:
        Rahimi, Recht. Random Features for Large-Scale Kernel Machines. NIPS 2007.
        Yu, Suresh, Choromanski, Holtmann-Rice, Kumar. Orthogonal Random Features. NIPS 2016.
    """

    def __init__(self, n_context: int, n_features: int) -> None:
        self.n_context = n_context
        self.n_features = n_features
        with one_thread():
            self._directions = _orthogonal_directions(n_context, n_features // 2)
        self._centre = np.zeros(n_context)
        self._reach = np.zeros(n_context)
        self._matrix = np.zeros((n_context, n_features // 2))

    def fit(self, contexts: Array) -> None:
        """Make the map from the first contexts.

        Args:
            contexts: (n, n_context), n at least 1.
        """
        deviation = contexts.std(axis=0)
        varying = deviation > 1e-9 * (1.0 + np.abs(contexts).max(axis=0))
        binary = ((contexts == 0.0) | (contexts == 1.0)).all(axis=0)
        deviation = np.where(varying & ~binary, deviation, 0.5)
        scale = 2.0 ** np.round(np.log2(deviation))
        self._set(np.round(contexts.mean(axis=0) / scale) * scale, np.where(varying, scale, 0.0))

    def transform(self, context: Array) -> Array:
        """φ of one context.

        Args:
            context: (n_context,).

        Returns:
            (n_features,), of length 1.
        """
        centred = context - self._centre
        np.clip(centred, -self._reach, self._reach, out=centred)
        angles = np.dot(centred, self._matrix)
        half = self.n_features // 2
        features = np.empty(self.n_features)
        np.cos(angles, out=features[:half])
        np.sin(angles, out=features[half:])
        features *= 1.0 / math.sqrt(max(half, 1))
        return features

    def is_same(self, other: RandomFeatures) -> bool:
        """Whether both map every context to the same features."""
        return np.array_equal(self._matrix, other._matrix) and np.array_equal(
            self._centre, other._centre
        )

    def arrays(self) -> dict[str, Array]:
        """Copies of what ``fit`` found."""
        return {"centre": self._centre.copy(), "scale": self._reach / _MOST_DEVIATIONS}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over what ``arrays`` gave.

        Raises:
            StateError: Something is missing, of another shape or impossible.
        """
        centre, scale = arrays.get("centre"), arrays.get("scale")
        for name, array in (("centre", centre), ("scale", scale)):
            if array is None or array.shape != (self.n_context,) or not np.isfinite(array).all():
                raise StateError(f"saved array {name!r} must be ({self.n_context},) finite numbers")
        if centre is not None and scale is not None:
            self._set(centre, scale)

    def _set(self, centre: Array, scale: Array) -> None:
        varying = scale > 0.0
        length = math.sqrt(max(int(varying.sum()), 1))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=varying)
        self._centre = centre.copy()
        self._reach = _MOST_DEVIATIONS * scale
        self._matrix = self._directions * inverse[:, None] / length


def _orthogonal_directions(n_context: int, n_directions: int) -> Array:
    """Columns as long as those of a standard normal matrix, orthogonal in groups of n_context."""
    rng = np.random.Generator(np.random.Philox(key=_SEED))
    groups = []
    for _ in range(-(-n_directions // n_context)):
        rotation, triangle = np.linalg.qr(rng.standard_normal((n_context, n_context)))
        lengths = np.sqrt(rng.chisquare(n_context, n_context))
        # The signs make QR's rotation a uniform one, on any linear algebra library.
        groups.append(rotation * (np.sign(np.diagonal(triangle)) * lengths))
    if not groups:
        return np.zeros((n_context, 0))
    directions: Array = np.hstack(groups)[:, :n_directions]
    return directions
