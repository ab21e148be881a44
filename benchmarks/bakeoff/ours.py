"""Our policies behind the bake-off's learner, each with its default parameters.

Where it stands: what the bake-off is about.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.bakeoff.learner import Choice, Contexts, Setting, with_constant
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, draw

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_FEATURES = np.zeros((1, 0))
FIRST = np.ones(1, np.bool_)


class Ours:
    """One policy: the distribution, one draw from it, one row learned."""

    def __init__(self, n_features: int, n_actions: int, seed: int, *, kind: str) -> None:
        self.policy = make_policy(kind, n_features + 1, 0)
        self.rng = np.random.default_rng(seed)
        ids = tuple(f"class-{action}" for action in range(n_actions))
        self.candidates = Candidates(ids, np.zeros((n_actions, 0)))

    def prepare(self, contexts: Contexts) -> Sequence[npt.NDArray[np.float64]]:
        """With a leading 1."""
        return list(with_constant(contexts))

    def choose(self, context: npt.NDArray[np.float64]) -> Choice:
        """The distribution first, then one draw from it."""
        probabilities = self.policy.distribution(context, self.candidates, self.rng)
        action = draw(probabilities, self.rng.random())
        return Choice(action, float(probabilities[action]))

    def learn(self, context: npt.NDArray[np.float64], choice: Choice, reward: float) -> None:
        """A batch of one row."""
        action_ids = (self.candidates.ids[choice.action],)
        self.policy.update(Batch(context[None], NO_FEATURES, action_ids, np.array([reward]), FIRST))


DEFAULT = "ours-default"
SETTINGS = tuple(Setting(f"ours-{kind}", "ours", partial(Ours, kind=kind)) for kind in POLICY_KINDS)
