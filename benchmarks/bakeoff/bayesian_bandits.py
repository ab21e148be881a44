"""bayesianbandits behind the bake-off's learner.

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

NOISE_PRECISION = 11.0
"""A standard deviation of .3, the width of the other linear learners; a prior of one row."""


class BayesianBandits:
    """One Bayesian linear regression an arm, and one of its explorers."""

    def __init__(
        self,
        n_features: int,
        n_actions: int,
        seed: int,
        *,
        learner: str,
        policy: str,
        learner_options: dict[str, float],
        policy_options: dict[str, float],
    ) -> None:
        del n_features  # it finds out
        bandits = importlib.import_module("bayesianbandits")
        arms = [
            bandits.Arm(action, learner=getattr(bandits, learner)(**learner_options))
            for action in range(n_actions)
        ]
        explorer = getattr(bandits, policy)(**policy_options)
        self.agent: Any = bandits.ContextualAgent(arms, explorer, random_seed=seed)

    def prepare(self, contexts: Contexts) -> Sequence[npt.NDArray[np.float64]]:
        """Matrices of one row, with a leading 1."""
        return list(with_constant(contexts)[:, None])

    def choose(self, context: npt.NDArray[np.float64]) -> Choice:
        """Its own choice."""
        return Choice(int(self.agent.pull(context)[0]), 1.0)

    def learn(self, context: npt.NDArray[np.float64], choice: Choice, reward: float) -> None:
        """One row for the arm that was chosen."""
        self.agent.select_for_update(choice.action).update(context, np.array([reward]))


def _setting(
    name: str, learner: str, policy: str, learner_options: dict[str, float], **policy_options: float
) -> Setting:
    make = partial(
        BayesianBandits,
        learner=learner,
        policy=policy,
        learner_options=learner_options,
        policy_options=policy_options,
    )
    return Setting(
        f"bayesianbandits-{name}", "bayesianbandits", make, package="bayesianbandits", slow=True
    )


NORMAL = {"alpha": NOISE_PRECISION, "beta": NOISE_PRECISION}

SETTINGS = (
    _setting("nig-ucb-0.68", "NormalInverseGammaRegressor", "UpperConfidenceBound", {}),
    _setting("nig-ucb-0.84", "NormalInverseGammaRegressor", "UpperConfidenceBound", {}, alpha=0.84),
    _setting("nig-ts", "NormalInverseGammaRegressor", "ThompsonSampling", {}),
    _setting("normal-ucb-0.84", "NormalRegressor", "UpperConfidenceBound", NORMAL, alpha=0.84),
    _setting("normal-ts", "NormalRegressor", "ThompsonSampling", NORMAL),
    _setting("eb-normal-ts", "EmpiricalBayesNormalRegressor", "ThompsonSampling", {}),
)
