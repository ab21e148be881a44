"""How strongly weights are held to zero: prior precisions, given or estimated from the data.

Beside the linear model, which asks it whenever it solves its statistics afresh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policy.bounds import parameter

Array = npt.NDArray[np.float64]

SMALLEST_PRECISION, LARGEST_PRECISION = 1e-6, 1e12
_LEAST_ESTIMATE = 1e-3
_LARGEST_PER_ROW = 10.0
"""A precision far above the number of rows holds weights of features of order 1 to zero whatever
the rows say; so bounded, an estimate finds back when more of them come in."""

_DAMPING = 4.0
"""Weights' worth of belief in the precision before the step."""


@dataclass(frozen=True, slots=True)
class PriorGroup:
    """Weights that share one prior N(0, noise / precision).

    Args:
        name: What an error message calls the precision.
        size: Number of weights, may be 0.
        given: The precision; None to estimate it.
        initial: Where the estimate starts.

    Raises:
        ParameterError: ``given`` is outside of [1e-6, 1e12].
    """

    name: str
    size: int
    given: float | None = None
    initial: float = 1.0

    def __post_init__(self) -> None:
        if self.given is not None:
            parameter(self.name, self.given, SMALLEST_PRECISION, LARGEST_PRECISION)

    @property
    def start(self) -> float:
        """The precision before anything is learned."""
        return self.initial if self.given is None else float(self.given)


class Priors:
    """Precisions of consecutive groups of weights.

    The estimate is one step of MacKay's fixed point for the marginal likelihood, per group:

        γ = Σⱼ (1 - precision Vⱼⱼ),   precision ← γ noise / Σⱼ wⱼ²

    with w the posterior mean and V its covariance in units of the noise; γ counts the weights
    that the data determine. Steps are damped, and no precision goes beyond ten times the rows.

    Args:
        groups: In the order of the weights.

    Example:
        >>> priors = Priors((PriorGroup("intercept", 1, 0.5), PriorGroup("rest", 2)))
        >>> priors.precisions
        array([0.5, 1. , 1. ])
        >>> priors.estimate(np.zeros((9, 3)), np.full((9, 3), 0.1), 1.0, 100)
        >>> bool(priors.precisions[0] == 0.5 and priors.precisions[1] > 1.0)
        True

    References:
        MacKay. Bayesian Interpolation. Neural Computation 4(3), 1992.
    """

    def __init__(self, groups: tuple[PriorGroup, ...]) -> None:
        self.groups = groups
        self.values = np.array([group.start for group in groups])

    @property
    def precisions(self) -> Array:
        """One for each weight."""
        return np.repeat(self.values, [group.size for group in self.groups])

    @property
    def are_given(self) -> bool:
        """Whether there is nothing to estimate."""
        return all(group.given is not None for group in self.groups)

    def reset(self) -> None:
        """Back to where the estimates start."""
        self.values = np.array([group.start for group in self.groups])

    def estimate(self, weights: Array, variances: Array, noise: float, n_rows: float) -> None:
        """One step towards the precisions that make the data most likely.

        Args:
            weights: Posterior means, (n_actions, n_weights).
            variances: Diagonals of the posterior covariances, in units of the noise, likewise.
            noise: Variance of the noise.
            n_rows: Rows that they were learned from.
        """
        start = 0
        for index, group in enumerate(self.groups):
            stop = start + group.size
            if group.given is None and group.size:
                precision = float(self.values[index])
                determined = np.maximum(1.0 - precision * variances[:, start:stop], 0.0).sum()
                squares = float(np.square(weights[:, start:stop]).sum()) / max(noise, 1e-300)
                found = (determined + _DAMPING) / (squares + _DAMPING / precision)
                largest = max(_LARGEST_PER_ROW * n_rows, group.initial)
                self.values[index] = min(max(found, _LEAST_ESTIMATE), largest)
            start = stop
