"""Inverse propensity scoring of each slot with those above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.slate.base import SlotWeighted

if TYPE_CHECKING:
    from policy.ope.estimators.slate.sample import SlateSample
    from policy.ope.log import Array


class RewardInteractionIPS(SlotWeighted):
    """A slot's reward, weighted by the probabilities of the list down to that slot.

        V = 1/n sum_i sum_l  target(a_i1 ... a_il | x_i) / logging(a_i1 ... a_il | x_i)  r_il

    Bias and variance: right where what a slot earns depends on what is above it and not on what is
    below, as with visitors who read from the top; of less variance than weights of whole lists.

    Args:
        n_slots: Of every list.
        normalised: Whether the weights of a slot are divided by their mean.

    Example:
        >>> RewardInteractionIPS(3).name
        'slate_interaction'

    References:
        McInerney, Brost, Chandar, Mehrotra, Carterette. Counterfactual Evaluation of Slate
        Recommendations with Sequential Reward Interactions. KDD 2020.
    """

    name: str = "slate_interaction"

    def weights(self, sample: SlateSample) -> Array:
        """Those of the list down to each slot."""
        return sample.prefix
