"""contextualbandits behind the bake-off's learner.

Where it stands: one of the peers. It fits any classifier to the whole log of each arm, so it is
refitted whenever the log has grown by a tenth, and chooses for all rounds until then at once.
"""

from __future__ import annotations

import importlib
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.bakeoff.learner import Choice, Contexts, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SMALLEST_BATCH = 20
GROWTH = 0.1


class ContextualBandits:
    """Bootstrapped classifiers an arm; each context is its row's number."""

    def __init__(
        self, n_features: int, n_actions: int, seed: int, *, policy: str, base: Callable[[], Any]
    ) -> None:
        del n_features  # it finds out
        online = importlib.import_module("contextualbandits.online")
        self.policy = getattr(online, policy)(
            base(), n_actions, random_state=seed + 1, njobs_arms=1, njobs_samples=1
        )
        self.contexts: Contexts = np.empty((0, 0))
        self.actions = np.random.default_rng(seed).integers(n_actions, size=SMALLEST_BATCH).tolist()
        self.taken: list[int] = []
        self.rewards: list[float] = []

    def prepare(self, contexts: Contexts) -> Sequence[int]:
        """The numbers of the rows."""
        self.contexts = contexts
        return range(len(contexts))

    def choose(self, context: int) -> Choice:
        """What was chosen for this row when its batch began."""
        if context == len(self.actions):
            self._refit(context)
        return Choice(self.actions[context], 1.0)

    def learn(self, context: int, choice: Choice, reward: float) -> None:
        """Into the log, for the next refit."""
        del context  # rounds come in order
        self.taken.append(choice.action)
        self.rewards.append(reward)

    def _refit(self, n: int) -> None:
        with warnings.catch_warnings():
            # Arms with one class only, and solvers that stop early: both are its normal case.
            warnings.simplefilter("ignore")
            self.policy.fit(self.contexts[:n], np.array(self.taken), np.array(self.rewards))
            batch = self.contexts[n : n + max(SMALLEST_BATCH, int(n * GROWTH))]
            self.actions += np.asarray(self.policy.predict(batch)).astype(int).tolist()


def logistic() -> Any:
    """Logistic regression, as in the package's examples."""
    linear_model = importlib.import_module("sklearn.linear_model")
    return linear_model.LogisticRegression(max_iter=200)


def tree() -> Any:
    """A decision tree: ten bootstrapped ones an arm are a small forest."""
    return importlib.import_module("sklearn.tree").DecisionTreeClassifier()


def _setting(name: str, policy: str, base: Callable[[], Any]) -> Setting:
    return Setting(
        f"contextualbandits-{name}",
        "contextualbandits",
        partial(ContextualBandits, policy=policy, base=base),
        package="contextualbandits",
        slow=True,
    )


SETTINGS = (
    _setting("ucb-logistic", "BootstrappedUCB", logistic),
    _setting("ts-logistic", "BootstrappedTS", logistic),
    _setting("ucb-tree", "BootstrappedUCB", tree),
    _setting("ts-tree", "BootstrappedTS", tree),
)
