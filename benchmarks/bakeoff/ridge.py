"""The row to respect: disjoint ridge regressions and an upper confidence bound, in plain numpy.

Where it stands: the yardstick of the bake-off, beside ours and the peers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.bakeoff.learner import Choice, Contexts, Setting, with_constant

if TYPE_CHECKING:
    from collections.abc import Sequence


class RidgeUCB:
    """One ridge regression an action (prior 1), kept by Sherman and Morrison's update."""

    def __init__(self, n_features: int, n_actions: int, seed: int, *, alpha: float = 0.3) -> None:
        del seed  # nothing is random
        self.alpha = alpha
        self.inverse = np.tile(np.eye(n_features + 1), (n_actions, 1, 1))
        self.response = np.zeros((n_actions, n_features + 1))
        self.weights = np.zeros_like(self.response)

    def prepare(self, contexts: Contexts) -> Sequence[npt.NDArray[np.float64]]:
        """With a leading 1."""
        return list(with_constant(contexts))

    def choose(self, context: npt.NDArray[np.float64]) -> Choice:
        """The highest upper bound; the first of several."""
        width = np.sqrt((self.inverse @ context) @ context)
        return Choice(int(np.argmax(self.weights @ context + self.alpha * width)), 1.0)

    def learn(self, context: npt.NDArray[np.float64], choice: Choice, reward: float) -> None:
        """One rank-one update."""
        inverse = self.inverse[choice.action]
        gain = inverse @ context
        inverse -= np.outer(gain, gain / (1.0 + context @ gain))
        self.response[choice.action] += reward * context
        self.weights[choice.action] = inverse @ self.response[choice.action]


YARDSTICK = "numpy"
SETTINGS = (Setting("numpy-ridge-ucb-0.3", YARDSTICK, RidgeUCB),)
