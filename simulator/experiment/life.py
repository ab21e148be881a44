"""Shoppers' whole lives under one policy, added up: one cell of an experiment.

Policies meet twins: shopper, luck and the uniform that turns a distribution into an action are
functions of the seed, so two policies differ by what they do and by nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.crowd import Crowd, Observe
from simulator.dynamics.draws import uniforms
from simulator.dynamics.shopper import State, rows_of
from simulator.vector_env import CENTS_A_REWARD

if TYPE_CHECKING:
    from simulator.dynamics.world import World
    from simulator.experiment.deciders import Decider

Array = npt.NDArray[np.float64]

DECISION_SALT = np.uint64(0xA3EC647659359ACD)
"""Keeps the policy's draws apart from the shopper's."""


@dataclass(frozen=True, slots=True, eq=False)
class Lives:
    """What a policy did and earned.

    Args:
        returns_cents: Of each shopper over the horizon, (n_shoppers,).
        daily_cents: Mean reward a shopper by day, (n_days,).
        action_counts: Decisions by the shopper's segment and action, (n_segments, n_actions).
        stayed: Share of shoppers who have not left.
        subscribed: Share of them with every channel open.
        fatigue: Their mean contact fatigue at the end.
        reference: Their mean reference price at the end.
        seconds: CPU time of the computation.
    """

    returns_cents: Array
    daily_cents: Array
    action_counts: npt.NDArray[np.int64]
    stayed: float
    subscribed: float
    fatigue: float
    reference: float
    seconds: float


def live_through(
    world: World,
    decider: Decider,
    n_shoppers: int,
    *,
    seed: int = 0,
    observe: Observe = "features",
) -> Lives:
    """Shoppers 0 to n - 1 from their first day to the world's horizon.

    Args:
        world: Where they live.
        decider: What decides, and learns each evening.
        n_shoppers: How many.
        seed: Of the luck.
        observe: See ``simulator.crowd.Crowd``.

    Example:
        >>> from simulator.dynamics.world import World
        >>> from simulator.experiment.deciders import Fixed
        >>> world = World(horizon_days=5)
        >>> lives = live_through(world, Fixed(np.eye(12)[0]), 10)
        >>> lives.returns_cents.shape, int(lives.action_counts.sum())
        ((10,), 50)
    """
    begun = time.process_time()
    crowd = Crowd(world, n_shoppers, seed=seed, observe=observe)
    keys = crowd.keys ^ DECISION_SALT
    returns, daily = np.zeros(n_shoppers), np.zeros(world.horizon_days)
    counts = np.zeros((len(world.population.segments), world.n_actions), np.int64)
    segment = crowd.traits[0].astype(np.int64)
    for day in range(world.horizon_days):
        alive = ~crowd.left
        if not alive.any():
            break
        seen, mask = crowd.observation()[alive], crowd.mask()[alive]
        distribution = decider.probabilities(seen, mask)
        luck = uniforms(keys, np.full(n_shoppers, day), 2)[0][alive]
        chosen = draw_each(distribution, luck)
        actions = np.zeros(n_shoppers, np.int64)
        actions[alive] = chosen
        reward = crowd.live(actions).reward
        decider.learn(seen, chosen, reward[alive] / CENTS_A_REWARD)
        np.add.at(counts, (segment[alive], chosen), 1)
        returns += reward
        daily[day] = reward.mean()
    return _summed(crowd, returns, daily, counts, time.process_time() - begun)


def draw_each(probabilities: Array, luck: Array) -> npt.NDArray[np.int64]:
    """One draw from each row; never an action of probability 0.

    Args:
        probabilities: Rows that sum to 1, (n, n_actions).
        luck: Uniform on [0, 1), (n,).

    Example:
        >>> draw_each(np.array([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0]]), np.array([0.25, 0.999]))
        array([2, 0])
    """
    cumulative = probabilities.cumsum(1)
    passed = cumulative <= (luck * cumulative[:, -1])[:, None]
    chosen: npt.NDArray[np.int64] = passed.sum(1)
    return chosen


def _summed(
    crowd: Crowd, returns: Array, daily: Array, counts: npt.NDArray[np.int64], seconds: float
) -> Lives:
    state = rows_of(State, crowd.state)
    here = state.alive > 0.0
    fatigue = state.fatigue_email + state.fatigue_push + state.fatigue_site
    n_here = max(int(here.sum()), 1)
    return Lives(
        returns,
        daily,
        counts,
        float(here.mean()),
        float((state.email_on * state.push_on)[here].sum() / n_here),
        float(fatigue[here].sum() / n_here),
        float(state.reference[here].sum() / n_here),
        seconds,
    )
