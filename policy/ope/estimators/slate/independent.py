"""Inverse propensity scoring of each slot by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import EvaluationError
from policy.ope.estimators.slate.base import SlotWeighted

if TYPE_CHECKING:
    from policy.ope.estimators.slate.sample import SlateSample
    from policy.ope.log import Array


class IndependentIPS(SlotWeighted):
    """A slot's reward, weighted by the probabilities of its own action alone.

        V = 1/n sum_i sum_l  target(a_il in slot l | x_i) / logging(a_il in slot l | x_i)  r_il

    Bias and variance: right where what a slot earns does not depend on the other slots, and biased
    where it does; of far less variance than weights of whole lists. Needs marginal probabilities.

    Args:
        n_slots: Of every list.
        normalised: Whether the weights of a slot are divided by their mean.

    Example:
        >>> IndependentIPS(3, normalised=True).name
        'slate_independent_sn'

    References:
        Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay, Wen. Offline Evaluation of Ranking
        Policies with Click Models. KDD 2018.
    """

    name: str = "slate_independent"

    def weights(self, sample: SlateSample) -> Array:
        """Those of each slot by itself."""
        if sample.own is None:
            raise EvaluationError(
                f"{self.name} needs the probability of each action in its slot: the sample has "
                "only conditional ones; use RewardInteractionIPS, or hand over marginals"
            )
        return sample.own
