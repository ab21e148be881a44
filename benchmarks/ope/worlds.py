"""Synthetic logs whose target policy has a known value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policy.ope.log import Decisions

Array = npt.NDArray[np.float64]

N_CONTEXT, TRUTH_ROWS = 5, 400_000
TARGET = "target"


@dataclass(frozen=True, slots=True)
class World:
    """How logs are written.

    Args:
        name: In the tables.
        n_actions: All always eligible.
        floor: Share of the decisions that the log explores uniformly.
        sharpness: How much logging and target policy prefer their own actions.
        offset: Added to the logit of the rewards' mean: the lower, the rarer.
        is_revenue: Whether a success earns a lognormal sum rather than 1.
        drifts: Whether the logging policy goes from uniform to its last form along the log.
    """

    name: str
    n_actions: int = 5
    floor: float = 0.2
    sharpness: float = 0.7
    offset: float = -1.0
    is_revenue: bool = False
    drifts: bool = False

    @property
    def largest_weight(self) -> float:
        """Largest importance weight that could ever occur."""
        return self.n_actions / self.floor


WORLDS = (
    World("plain"),
    World("small propensities", n_actions=10, floor=0.05, sharpness=1.0),
    World("rare rewards", offset=-4.0),
    World("heavy tails", offset=-2.5, is_revenue=True),
    World("drifting log", drifts=True, sharpness=1.0),
    World("twenty actions", n_actions=20),
)


def draw_log(world: World, n: int, rng: np.random.Generator) -> Decisions:
    """A log with the target's probabilities in it."""
    context, means, target = _decisions(world, n, rng)
    scores = context @ _weights(world)[0]
    if world.drifts:
        scores *= np.linspace(0.0, 1.0, n)[:, np.newaxis]
    logging = (1.0 - world.floor) * _softmax(scores) + world.floor / world.n_actions
    action = (logging.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    action = action.clip(0, world.n_actions - 1)
    rows = np.arange(n)
    reward = (rng.random(n) < means[rows, action]).astype(np.float64)
    if world.is_revenue:
        reward *= rng.lognormal(0.0, 1.0, n)
    names = tuple(f"a{number}" for number in range(world.n_actions))
    return Decisions(
        names,
        action,
        reward,
        logging[rows, action],
        context,
        logging=logging,
        targets={TARGET: target},
    )


def true_value(world: World) -> float:
    """What the target earns a decision, over fresh contexts."""
    _, means, target = _decisions(world, TRUTH_ROWS, np.random.default_rng(12_345))
    mean_sum = float(np.exp(0.5)) if world.is_revenue else 1.0
    return mean_sum * float((target * means).sum(axis=1).mean())


def _decisions(world: World, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    context = rng.normal(size=(n, N_CONTEXT))
    _, wanted, rewarding = _weights(world)
    means = 1.0 / (1.0 + np.exp(-world.offset - context @ rewarding / 2.0))
    return context, means, _softmax(context @ wanted)


def _weights(world: World) -> Array:
    rng = np.random.default_rng(7)
    weights = rng.normal(size=(3, N_CONTEXT, world.n_actions))
    weights[:2] *= world.sharpness
    return weights


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares
