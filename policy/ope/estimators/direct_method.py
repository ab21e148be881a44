"""The direct method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class DirectMethod(Estimator):
    """What a reward model expects of the target's choices.

        V = 1/n sum_i sum_a target(a | x_i) q(x_i, a)

    Bias and variance: of little variance and, without propensities, as biased as the model is
    wrong: its interval tells nothing of that.

    Example:
        >>> DirectMethod().needs_model
        True

    References:
        Beygelzimer, Langford. The Offset Tree for Learning with Partial Labels. KDD 2009.
    """

    name: str = "direct_method"
    needs_model: bool = True

    def columns(self, sample: Sample) -> Array:
        """What is expected."""
        return per_row(sample.modelled()[0])
