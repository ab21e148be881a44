"""What can be put to the test: fixed rules, trained networks, and bandits that learn as they go.

A decider is named by a word: ``nothing``, ``random``, ``always:ACTION``, ``bandit:KIND`` or the
path of a model file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.build import make_policy, policy_parameters
from policy.base import Batch, Candidates
from policy.errors import PolicyError, suggestion
from policy.ppo.network import from_bytes
from simulator.errors import WorldError

if TYPE_CHECKING:
    from policy.ppo.network import Network

Array = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


class Decider(ABC):
    """Gives a distribution over actions for many shoppers at once, and may learn."""

    @abstractmethod
    def probabilities(self, observation: npt.NDArray[np.float32], mask: Booleans) -> Array:
        """Rows that sum to 1 and are 0 where masked, (n, n_actions)."""

    def learn(  # noqa: B027  # most have nothing to learn
        self, observation: npt.NDArray[np.float32], actions: npt.NDArray[np.int64], rewards: Array
    ) -> None:
        """What the day's decisions earned."""


class Fixed(Decider):
    """Weights over the actions, the same for everyone; what is masked falls to the first action.

    Args:
        weights: (n_actions,), positive, with a sum of 1.
    """

    def __init__(self, weights: Array) -> None:
        self.weights = weights

    def probabilities(self, observation: npt.NDArray[np.float32], mask: Booleans) -> Array:
        """See ``Decider``."""
        allowed = np.where(mask, self.weights, 0.0)
        allowed[:, 0] += 1.0 - allowed.sum(1)
        return allowed


class Trained(Decider):
    """A trained network."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def probabilities(self, observation: npt.NDArray[np.float32], mask: Booleans) -> Array:
        """See ``Decider``."""
        found = self.network.probabilities(observation, mask).astype(np.float64)
        rows: Array = found / found.sum(1, keepdims=True)
        return rows


class Bandit(Decider):
    """One of the service's bandits, rewarded with what the same day earned.

    Args:
        kind: One of ``policy.bandits.build.POLICY_KINDS``.
        n_features: Of the observation.
        action_ids: Of the world.
        seed: For kinds that sample.
    """

    def __init__(self, kind: str, n_features: int, action_ids: tuple[str, ...], seed: int) -> None:
        self.policy = make_policy(kind, n_features + 1, 0)
        self.ids = action_ids
        self.rng = np.random.default_rng(seed)

    def probabilities(self, observation: npt.NDArray[np.float32], mask: Booleans) -> Array:
        """See ``Decider``."""
        found = np.zeros(mask.shape)
        for row, (context, allowed) in enumerate(zip(_contexts(observation), mask, strict=True)):
            ids = tuple(np.array(self.ids)[allowed].tolist())
            candidates = Candidates(ids, np.zeros((len(ids), 0)))
            found[row, allowed] = self.policy.distribution(context, candidates, self.rng)
        return found

    def learn(
        self, observation: npt.NDArray[np.float32], actions: npt.NDArray[np.int64], rewards: Array
    ) -> None:
        """See ``Decider``."""
        n = len(actions)
        ids = tuple(self.ids[action] for action in actions)
        first = np.ones(n, np.bool_)
        self.policy.update(Batch(_contexts(observation), np.zeros((n, 0)), ids, rewards, first))


def make_decider(
    word: str, names: tuple[str, ...], action_ids: tuple[str, ...], seed: int
) -> Decider:
    """The decider that a word names.

    Args:
        word: See the module.
        names: Of the observation's columns.
        action_ids: Of the world.
        seed: For deciders that sample.

    Raises:
        WorldError: The word names nothing that fits.

    Example:
        >>> decider = make_decider("always:b", ("x",), ("a", "b"), 0)
        >>> decider.probabilities(np.zeros((1, 1), np.float32), np.array([[True, True]]))
        array([[0., 1.]])
    """
    n_actions = len(action_ids)
    kind, _, detail = word.partition(":")
    if word == "nothing":
        return Fixed(np.eye(n_actions)[0])
    if word == "random":
        return Fixed(np.full(n_actions, 1.0 / n_actions))
    if kind == "always":
        if detail not in action_ids:
            raise WorldError(
                "policy", word, f"has no such action; {suggestion(detail, action_ids)}"
            )
        return Fixed(np.eye(n_actions)[action_ids.index(detail)])
    try:
        if kind == "bandit":
            policy_parameters(detail)
            return Bandit(detail, len(names), action_ids, seed)
        return Trained(_network(word, names, action_ids))
    except (PolicyError, OSError) as cause:
        raise WorldError("policy", word, f"cannot be used: {cause}") from None


def _network(path: str, names: tuple[str, ...], action_ids: tuple[str, ...]) -> Network:
    if not path.endswith(".zip"):
        words = "nothing, random, always:ACTION, bandit:KIND or a model file MODEL.zip"
        raise WorldError("policy", path, f"must be {words}")
    network = from_bytes(Path(path).read_bytes())
    if network.feature_names != names or network.action_ids != action_ids:
        raise WorldError(
            "policy", path, "was trained on other features or actions: train one on this world"
        )
    return network


def _contexts(observation: npt.NDArray[np.float32]) -> Array:
    """With the constant that linear models need."""
    return np.column_stack([observation, np.ones(len(observation))]).astype(np.float64)
