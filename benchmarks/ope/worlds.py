"""Synthetic logs whose target policy has a known value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from policy.ope.log import Decisions

Array = npt.NDArray[np.float64]
Shape = Literal["logistic", "waves", "corners", "steps", "products", "flat"]

N_CONTEXT, TRUTH_ROWS, N_ROWS = 5, 400_000, 3_000
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
        shape: How that logit depends on the context. A linear model nearly suits `logistic`, and
            knows `flat`; of the others it sees little.
        is_informed: Whether the target prefers what truly earns more, rather than anything.
        season: How far the logit swings along the log.
        n_rows: Of a log.
        seed: Of the weights.
    """

    name: str
    n_actions: int = 5
    floor: float = 0.2
    sharpness: float = 0.7
    offset: float = -1.0
    is_revenue: bool = False
    drifts: bool = False
    shape: Shape = "logistic"
    is_informed: bool = False
    season: float = 0.0
    n_rows: int = N_ROWS
    seed: int = 7

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
    World("waves", shape="waves", is_informed=True),
    World("corners", n_actions=10, shape="corners", is_informed=True),
    World("corners, any target", shape="corners"),
    World("flat", shape="flat"),
    World("season", season=1.0),
    World("waves, short log", shape="waves", is_informed=True, n_rows=1_000),
)
"""Estimators and intervals were chosen by looking at worlds like these."""

HELD_OUT = (
    World("steps", n_actions=3, floor=0.1, shape="steps", is_informed=True, n_rows=2_000, seed=11),
    World("products", n_actions=8, shape="products", is_informed=True, seed=12),
    World("fifteen, informed", n_actions=15, floor=0.1, is_informed=True, seed=13),
    World("revenue waves", 6, 0.1, offset=-2.0, is_revenue=True, shape="waves", seed=14),
    World("thirty actions", n_actions=30, floor=0.3, n_rows=5_000, seed=15),
    World("drifting corners", drifts=True, shape="corners", is_informed=True, seed=16),
    World("rare, informed", offset=-4.0, is_informed=True, seed=17),
    World("tiny propensities", n_actions=10, floor=0.03, sharpness=1.0, seed=18),
    World("two actions", n_actions=2, floor=0.1, shape="waves", is_informed=True, seed=19),
    World("steps, short log", n_actions=4, shape="steps", n_rows=1_000, seed=20),
    World("informed, long log", is_informed=True, n_rows=10_000, seed=21),
    World("products, season", shape="products", season=1.0, is_informed=True, seed=22),
)
"""Looked at only once the choices were made."""


def draw_log(world: World, n: int, rng: np.random.Generator) -> Decisions:
    """A log with the target's probabilities in it."""
    return draw(world, n, rng)[0]


def draw(world: World, n: int, rng: np.random.Generator) -> tuple[Decisions, Array]:
    """A log, and what the target was expected to earn in each of its rows, (n,)."""
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
    log = Decisions(
        names,
        action,
        reward,
        logging[rows, action],
        context,
        logging=logging,
        targets={TARGET: target},
    )
    return log, _mean_sum(world) * (target * means).sum(axis=1)


def true_value(world: World) -> float:
    """What the target earns a decision, over fresh contexts."""
    _, means, target = _decisions(world, TRUTH_ROWS, np.random.default_rng(12_345))
    return _mean_sum(world) * float((target * means).sum(axis=1).mean())


def _mean_sum(world: World) -> float:
    return float(np.exp(0.5)) if world.is_revenue else 1.0


def _decisions(world: World, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    context = rng.normal(size=(n, N_CONTEXT))
    swing = world.season * np.sin(2.0 * np.pi * np.arange(n) / n)[:, np.newaxis]
    logits = world.offset + _bent(world, context) + swing
    means = 1.0 / (1.0 + np.exp(-logits))
    wanted = 2.0 * logits if world.is_informed else context @ _weights(world)[1]
    return context, means, _softmax(wanted)


def _bent(world: World, context: Array) -> Array:
    """What the context adds to the logit of each action, (n, n_actions)."""
    rewarding = context @ _weights(world)[2]
    if world.shape == "logistic":
        return rewarding / 2.0
    other = context @ np.random.default_rng(world.seed + 1_000).normal(
        size=(N_CONTEXT, world.n_actions)
    )
    made: dict[Shape, Array] = {
        "waves": 1.5 * np.sin(1.3 * rewarding),
        "corners": 1.5 * np.sign(rewarding * other),
        "steps": 2.0 * (abs(rewarding) > 1.5),
        "products": rewarding * other / N_CONTEXT,
        "flat": np.zeros_like(rewarding) + 0.5 * _weights(world)[2][0],
    }
    return made[world.shape]


def _weights(world: World) -> Array:
    rng = np.random.default_rng(world.seed)
    weights = rng.normal(size=(3, N_CONTEXT, world.n_actions))
    weights[:2] *= world.sharpness
    return weights


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares
