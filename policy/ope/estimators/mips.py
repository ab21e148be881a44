"""Marginalised inverse propensity scoring: weights of what an action is, not of which it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array, Ints
    from policy.ope.sample import Sample


class MIPS(Estimator):
    """IPS with the weights of an action's embedding, here the category that it belongs to.

        V = 1/n sum_i w(x_i, e_i) r_i,
        w(x, e) = sum_{a in e} target(a | x)  /  sum_{a in e} logging(a | x)

    Bias and variance: unbiased where the action has no effect beyond its category; never of more
    variance than IPS, and much less with many actions in few categories. The log must hold the
    logging probability of every action.

    Args:
        categories: The category of each action, numbers from 0, (n_actions,).

    Raises:
        EvaluationError: Categories that are no whole numbers from 0.

    References:
        Saito, Joachims. Off-Policy Evaluation for Large Action Spaces via Embeddings. ICML 2022.

    Example:
        >>> MIPS(np.array([0, 0, 1])).categories
        array([0, 0, 1])
    """

    name: str = "mips"

    def __init__(self, categories: Ints) -> None:
        self.categories = np.asarray(categories)
        if self.categories.dtype.kind not in "iu" or (self.categories < 0).any():
            raise EvaluationError("categories must be whole numbers from 0, one for each action")

    def columns(self, sample: Sample) -> Array:
        """Weight of the category times reward."""
        log = sample.log
        if log.logging is None:
            raise EvaluationError(
                "mips needs the logging probability of every action: the log has only that of the "
                "shown one; use ips"
            )
        if len(self.categories) != log.n_actions:
            raise EvaluationError(
                f"categories has {len(self.categories)} entries: must be {log.n_actions}, one for "
                "each action"
            )
        member = np.eye(int(self.categories.max()) + 1)[self.categories]
        shown = self.categories[log.action]
        rows = np.arange(log.n_rows)
        weight = (sample.target @ member)[rows, shown] / (log.logging @ member)[rows, shown]
        return per_row(weight * log.reward)
