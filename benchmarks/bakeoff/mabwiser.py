"""MABWiser behind the bake-off's learner.

Where it stands: one of the peers.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.bakeoff.learner import Choice, Contexts, Setting, with_constant

if TYPE_CHECKING:
    from collections.abc import Sequence


class MABWiser:
    """It decides nothing before it was fitted, so the first action is drawn at random."""

    def __init__(
        self, n_features: int, n_actions: int, seed: int, *, policy: str, **parameters: float
    ) -> None:
        del n_features  # it finds out
        mab = importlib.import_module("mabwiser.mab")
        learning = getattr(mab.LearningPolicy, policy)(**parameters)
        self.mab = mab.MAB(list(range(n_actions)), learning, seed=seed)
        self.first = int(np.random.default_rng(seed).integers(n_actions))
        self.is_fitted = False

    def prepare(self, contexts: Contexts) -> Sequence[npt.NDArray[np.float64]]:
        """Matrices of one row, with a leading 1."""
        return list(with_constant(contexts)[:, None])

    def choose(self, context: npt.NDArray[np.float64]) -> Choice:
        """Its own choice."""
        return Choice(int(self.mab.predict(context)) if self.is_fitted else self.first, 1.0)

    def learn(self, context: npt.NDArray[np.float64], choice: Choice, reward: float) -> None:
        """The first row by `fit`, the others by `partial_fit`."""
        learn = self.mab.partial_fit if self.is_fitted else self.mab.fit
        learn([choice.action], [reward], context)
        self.is_fitted = True


def _setting(name: str, policy: str, **parameters: Any) -> Setting:
    make = partial(MABWiser, policy=policy, **parameters)
    return Setting(f"mabwiser-{name}", "MABWiser", make, package="mabwiser")


SETTINGS = (
    _setting("linucb-0.3", "LinUCB", alpha=0.3),
    _setting("linucb-1", "LinUCB", alpha=1.0),
    _setting("lints-0.3", "LinTS", alpha=0.3),
    _setting("lingreedy-0.05", "LinGreedy", epsilon=0.05),
)
