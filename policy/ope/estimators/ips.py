"""Inverse propensity scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class IPS(Estimator):
    """Rewards weighted by how much likelier the target would have shown the action.

        V = 1/n sum_i w_i r_i,    w_i = target(a_i | x_i) / propensity_i

    Bias and variance: unbiased wherever the log could have shown what the target shows; the
    variance grows with the largest weights.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.sample import sample_of
        >>> log = Decisions(("a", "b"), np.array([0, 1]), np.array([1.0, 5.0]), np.full(2, 0.5))
        >>> IPS().columns(sample_of(log, np.array([[1.0, 0.0], [1.0, 0.0]])))
        array([[2.],
               [0.]])

    References:
        Horvitz, Thompson. A Generalization of Sampling Without Replacement from a Finite Universe.
        JASA 1952.
    """

    name: str = "ips"

    def columns(self, sample: Sample) -> Array:
        """Weight times reward."""
        return per_row(sample.weight * sample.log.reward)
