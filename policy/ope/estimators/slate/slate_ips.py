"""Inverse propensity scoring of whole lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.base import per_row
from policy.ope.estimators.slate.base import SlateEstimator

if TYPE_CHECKING:
    from policy.ope.estimators.slate.sample import SlateSample
    from policy.ope.log import Array


class SlateIPS(SlateEstimator):
    """A list's reward, weighted by how much likelier the target would have shown the whole list.

        V = 1/n sum_i  target(list_i | x_i) / logging(list_i | x_i)  sum_l r_il

    Bias and variance: unbiased whatever visitors do with a list; the variance grows with the power
    of the number of slots.

    Example:
        >>> import numpy as np
        >>> from policy.ope.estimators.slate.sample import SlateSample
        >>> sample = SlateSample(np.array([[1.0, 1.0]]), np.array([[2.0, 4.0]]))
        >>> SlateIPS().columns(sample)
        array([[8.]])

    References:
        McInerney, Brost, Chandar, Mehrotra, Carterette. Counterfactual Evaluation of Slate
        Recommendations with Sequential Reward Interactions. KDD 2020.
    """

    name: str = "slate_ips"

    def columns(self, sample: SlateSample) -> Array:
        """Weight of the list times its reward."""
        return per_row(sample.prefix[:, -1] * sample.reward.sum(axis=1))
