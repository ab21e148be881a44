"""The pseudo-inverse estimator: slots add up, and only their sum is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import EvaluationError
from policy.ope.estimators.base import per_row
from policy.ope.estimators.slate.base import SlateEstimator

if TYPE_CHECKING:
    from policy.ope.estimators.slate.sample import SlateSample
    from policy.ope.log import Array


class PseudoInverse(SlateEstimator):
    """A list's reward, weighted as if it were a sum over its slots that nobody told apart.

        V = 1/n sum_i  q_iᵀ G_i⁺ 1(list_i)  r_i,     G = E_logging[1(list) 1(list)ᵀ]

    with 1(list) the (slot, action) cells that a list fills and q their probabilities under the
    target.

    Bias and variance: right where what a list earns is a sum of what its slots do, without knowing
    the terms; of far less variance than weights of whole lists, and it needs the probability of
    every list (`of_lists`). Weights may be negative.

    Example:
        >>> PseudoInverse().name
        'pseudo_inverse'

    References:
        Swaminathan, Krishnamurthy, Agarwal, Dudík, Langford, Jose, Zitouni. Off-policy Evaluation
        for Slate Recommendation. NeurIPS 2017.
    """

    name: str = "pseudo_inverse"

    def columns(self, sample: SlateSample) -> Array:
        """Weight of the list times its reward."""
        if sample.pseudo is None:
            raise EvaluationError(
                "pseudo_inverse needs the probability of every list: make the sample by of_lists, "
                "or use RewardInteractionIPS"
            )
        return per_row(sample.pseudo * sample.reward.sum(axis=1))
