"""What the visitors of one group did, as sums that add up.

In front of the lift: one row is one visitor, since it was visitors who were assigned to a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import LogError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Count, means and centred products of an outcome and of what was known before.

    Args:
        n_visitors: How many.
        means: Of outcome and covariate, (2,).
        products: Sums of the products of their distances from the means, (2, 2).

    Example:
        >>> Outcomes.of(np.array([0.0, 4.0])).merged(Outcomes.of(np.array([2.0]))).means
        array([2., 0.])
    """

    n_visitors: int
    means: Array
    products: Array

    @staticmethod
    def of(outcome: Array, before: Array | None = None) -> Outcomes:
        """The sums of some visitors.

        Args:
            outcome: Of each visitor in the window after its first decision, (n,).
            before: The covariate: the same, or anything else, from before that decision, (n,);
                nothing that the decision could have changed.

        Raises:
            LogError: Lengths that differ, or a value that is not finite.
        """
        known = np.zeros_like(outcome) if before is None else before
        if outcome.shape != known.shape or outcome.ndim != 1:
            raise LogError(
                f"outcomes of shape {outcome.shape} and covariates of {known.shape}: must be one "
                "number a visitor"
            )
        both = np.column_stack((outcome, known)).astype(np.float64)
        finite = np.isfinite(both).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise LogError(
                f"visitor {row} has outcome {outcome[row]} and covariate {known[row]}: must be "
                "finite; leave the visitor out of both groups, or write 0 for nothing"
            )
        means = both.mean(axis=0) if len(both) else np.zeros(2)
        centred = both - means
        return Outcomes(len(both), means, centred.T @ centred)

    def merged(self, other: Outcomes) -> Outcomes:
        """The sums of both, whose visitors must be different ones."""
        n_visitors = self.n_visitors + other.n_visitors
        if not n_visitors:
            return self
        apart = other.means - self.means
        share = other.n_visitors / n_visitors
        products = self.products + other.products
        return Outcomes(
            n_visitors,
            self.means + share * apart,
            products + self.n_visitors * share * np.outer(apart, apart),
        )
