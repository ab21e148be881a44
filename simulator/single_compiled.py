"""One shopper's day, compiled by numba: `simulator.single` with the same bits, ten times as fast.

Needs the extra `train`. Compiling takes some seconds a process, at the first day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator import footprint, readings
from simulator.dynamics import compiled, day, draws
from simulator.dynamics.shopper import (
    N_DRAWS,
    N_OUTCOMES,
    N_STATES,
    N_TRAITS,
    Draws,
    Offer,
    State,
    Traits,
)
from simulator.footprint import N_SUMS, Footprint
from simulator.readings import Readings

import numba  # isort: skip  # `compiled` says what is missing
from numba.np.unsafe.ndarray import to_fixed_tuple  # isort: skip

if TYPE_CHECKING:
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]
Number = Any

_compile = numba.njit(error_model="numpy")
_live = compiled.compiled_all(day)["live"]
_folded = compiled.compiled_all(footprint)["folded"]
_read = compiled.compiled_all(readings)["read"]
_mix, _unit = compiled.mix, compiled.unit
_GAMMA, _MANTISSA, _UPPER = draws.GAMMA, draws.MANTISSA, draws.UPPER
_N_WORDS = N_DRAWS // 2
_SPEND = Draws._fields.index("spend")


@_compile
def _draw(key: Number, today: Number, luck: Number) -> None:
    """As `simulator.dynamics.draws.uniforms`, of one shopper."""
    start = key + today * (np.uint64(_N_WORDS) * _GAMMA)
    for word in range(_N_WORDS):
        bits = _mix(start + np.uint64(word + 1) * _GAMMA)
        luck[2 * word] = _unit(bits >> _MANTISSA)
        luck[2 * word + 1] = _unit(bits << _UPPER)


@_compile
def _write(values: Number, into: Number) -> None:
    for i, value in enumerate(values):
        into[i] = value


@_compile
def _advance(  # noqa: PLR0913, PLR0917  # arrays in one tuple would be slower
    effects: Number, tables: Number, traits: Number, state: Number, sums: Number, action: Number,
    key: Number, outcome: Number, morrow: Number,
) -> None:  # fmt: skip
    luck = np.empty(N_DRAWS)
    morning = State(*to_fixed_tuple(state, N_STATES))
    today = np.uint64(morning.day)
    _draw(key, today, luck)
    actions, demand, market, basket = tables
    of_year = today % np.uint64(demand.shape[0])
    offer = Offer(
        actions[0, action], actions[1, action], actions[2, action], actions[3, action],
        actions[4, action], actions[5, action], actions[6, action],
        demand[of_year], market[of_year], basket[np.int64(luck[_SPEND] * basket.shape[0])],
    )  # fmt: skip
    own, chance = Traits(*to_fixed_tuple(traits, N_TRAITS)), Draws(*to_fixed_tuple(luck, N_DRAWS))
    tomorrow, happened = _live(effects, own, morning, offer, chance)
    now = _folded(Footprint(*to_fixed_tuple(sums, N_SUMS)), morning.day, offer, happened)
    _write(tomorrow, state)
    _write(happened, outcome)
    _write(now, sums)
    _write(_read(now, tomorrow.day), morrow)


def advance(
    world: World, traits: Array, state: Array, sums: Array, action: int, key: np.uint64
) -> tuple[Array, Array]:
    """See ``simulator.single.AdvanceOne``."""
    outcome, morrow = np.empty(N_OUTCOMES), np.empty(len(Readings._fields))
    _advance(world.effects, world.tables, traits, state, sums, action, key, outcome, morrow)
    return outcome, morrow
