"""Simulated lives for the tests of the dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.dynamics.draws import shopper_keys
from simulator.dynamics.shopper import Outcome, State, newborn, rows_of
from simulator.dynamics.step import advance

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from simulator.dynamics.world import World

    Array = npt.NDArray[np.float64]


def lives(
    world: World,
    shoppers: npt.NDArray[np.int64],
    n_days: int,
    action: Callable[[int, npt.NDArray[np.int64]], npt.NDArray[np.int64]] | int = 0,
    seed: int = 0,
) -> tuple[State, Outcome]:
    """The last state, and every day's outcome, each field (n_days, n)."""
    keys = shopper_keys(seed, shoppers)
    traits, state = world.population.traits(seed, shoppers), newborn(len(shoppers))
    days = []
    for day in range(n_days):
        chosen = (
            np.full(len(shoppers), action) if isinstance(action, int) else action(day, shoppers)
        )
        state, outcome = advance(world, traits, state, chosen, keys)
        days.append(outcome)
    return rows_of(State, state), Outcome(*np.stack(days, axis=1))


def mixed(day: int, shoppers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Every action of the default world in turn."""
    return (shoppers + day) % 12
