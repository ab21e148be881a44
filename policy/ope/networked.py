"""A network from ``policy.ppo`` as a target: all rows of a chunk in one forward pass.

Beside the other targets; ``policy.ope.selected`` shows it the columns that it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from policy.ope.log import Array, Decisions
    from policy.ppo.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class Networked:
    """What a trained network would show: softmax of its logits over the eligible actions.

        p(a) = (1 - floor) q(a) + floor / n_eligible

    Actions of the log that it does not know have q = 0; where it knows none that is eligible, every
    eligible one is as likely.

    Args:
        network: Its features are the log's context.
        floor: Share of decisions that is spread evenly, as it would be served, in [0, 1).

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ppo.network import untrained
        >>> network = untrained(("x",), ("b", "c"), np.random.default_rng(0))
        >>> one = np.ones(1)
        >>> log = Decisions(("a", "b", "c"), np.array([0]), one, one, np.zeros((1, 1)))
        >>> Networked(network, floor=0.3).probabilities(log)
        array([[0.1 , 0.45, 0.45]])
    """

    network: Network
    floor: float = 0.01

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        place_of = {action: place for place, action in enumerate(self.network.action_ids)}
        known = np.array([place_of.get(action, -1) for action in log.actions], np.int64)
        if (known < 0).all():
            raise EvaluationError(
                "the network knows none of the log's actions: it was trained on another catalog"
            )
        eligible = log.could_show
        logits = self.network.logits(log.context)[:, known].astype(np.float64)
        logits[:, known < 0] = -np.inf
        logits[~eligible] = -np.inf
        best = logits.max(axis=1, keepdims=True)
        weights = np.exp(logits - np.where(np.isfinite(best), best, 0.0))
        lost = ~np.isfinite(best[:, 0])
        weights[lost] = eligible[lost]
        weights /= weights.sum(axis=1, keepdims=True)
        even = eligible / eligible.sum(axis=1, keepdims=True)
        mixed: Array = (1.0 - self.floor) * weights + self.floor * even
        return mixed
