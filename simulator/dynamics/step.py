"""`step(world, state, action, uniforms)`: one day for many shoppers at once, over numpy arrays.

The reference: `simulator.dynamics.compiled` must give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.dynamics.day import live
from simulator.dynamics.draws import uniforms
from simulator.dynamics.shopper import N_DRAWS, Draws, Offer, State, Traits, rows_of

if TYPE_CHECKING:
    from simulator.dynamics.shopper import Buffers
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]


def step(
    world: World,
    traits: Array,
    state: Array,
    action: npt.NDArray[np.int64],
    uniforms: Array,
    out: Buffers | None = None,
) -> tuple[Array, Array]:
    """The state tomorrow and what happened today. Pure: nothing given is changed but ``out``.

    Args:
        world: Everything that is not a shopper.
        traits: (n_traits, n), rows as in ``Traits``.
        state: (n_states, n), rows as in ``State``.
        action: Indices into ``world.actions``, (n,). A channel that the shopper has left is as
            good as no message; environments refuse it.
        uniforms: (n_draws, n), rows as in ``Draws``.
        out: Where to write the results; None for new arrays.

    Returns:
        The next state, (n_states, n), and the outcome, (n_outcomes, n), rows as in ``Outcome``.

    Example:
        >>> from simulator.dynamics.draws import shopper_keys
        >>> from simulator.dynamics.shopper import newborn
        >>> from simulator.dynamics.world import World
        >>> from simulator.dynamics.shopper import Outcome
        >>> world, who = World(), np.arange(1_000)
        >>> keys = shopper_keys(0, who)
        >>> luck = uniforms(keys, np.zeros(1_000, np.int64), N_DRAWS)
        >>> traits = world.population.traits(0, who)
        >>> _, happened = step(world, traits, newborn(1_000), np.zeros(1_000, np.int64), luck)
        >>> 0 < rows_of(Outcome, happened).visited.mean() < 0.5
        np.True_
    """
    morning, luck = rows_of(State, state), rows_of(Draws, uniforms)
    tables = world.tables
    days = morning.day.astype(np.int64) % len(tables.demand)
    slots = (luck.spend * len(tables.basket)).astype(np.int64)
    calendar = tables.demand[days], tables.market[days], tables.basket[slots]
    offer = Offer(*(*tables.actions[:, action], *calendar))
    tomorrow, outcome = live(world.effects, rows_of(Traits, traits), morning, offer, luck)
    if out is None:
        return np.stack(tomorrow), np.stack(outcome)
    return np.stack(tomorrow, out=out.state), np.stack(outcome, out=out.outcome)


def advance(
    world: World,
    traits: Array,
    state: Array,
    action: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    out: Buffers | None = None,
) -> tuple[Array, Array]:
    """``step`` with the draws that belong to each shopper's day.

    Args:
        world: Everything that is not a shopper.
        traits: (n_traits, n).
        state: (n_states, n).
        action: Indices into ``world.actions``, (n,).
        keys: From ``simulator.dynamics.draws.shopper_keys``, (n,).
        out: As for ``step``.

    Returns:
        As ``step``.
    """
    days = state[0].astype(np.int64)
    luck = uniforms(keys, days, N_DRAWS, None if out is None else out.uniforms)
    return step(world, traits, state, action, luck, out)
