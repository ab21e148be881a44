"""The doubly robust estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class DoublyRobust(Estimator):
    """The direct method, corrected by the weighted errors of its model.

        V = 1/n sum_i [ sum_a target(a | x_i) q(x_i, a)  +  w_i (r_i - q(x_i, a_i)) ]

    Bias and variance: unbiased with true propensities whatever the cross-fitted model, and of less
    variance than IPS the better that is.

    Example:
        >>> DoublyRobust().name
        'doubly_robust'

    References:
        Dudík, Erhan, Langford, Li. Doubly Robust Policy Evaluation and Optimization. Statistical
        Science 2014.
        Chernozhukov et al. Double/Debiased Machine Learning. Econometrics Journal 2018.
    """

    name: str = "doubly_robust"
    needs_model: bool = True

    def columns(self, sample: Sample) -> Array:
        """What is expected, corrected."""
        direct, residual = sample.modelled()
        return per_row(direct + sample.weight * residual)
