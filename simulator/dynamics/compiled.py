"""The fast path: the source of `simulator.dynamics.day`, compiled by numba.

Needs the extra `train`. Gives the same bits as `simulator.dynamics.step`, because it is the same
source: each function is taken as it is, and only the names that it looks up (``where``, ``exp``
and so on) are bound to what compiles for single numbers. Contracting a × b + c into one rounding
would change bits; numba does not, unless asked for ``fastmath``.

Shoppers go through in chunks of buffers whose rows lie a constant apart: only so can LLVM prove
that they do not overlap, and do four shoppers at once. Compiling takes some 20 seconds a process.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.dynamics import day, draws, exponential
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
from simulator.errors import MissingExtra

if importlib.util.find_spec("numba") is None:
    raise MissingExtra("numba", "train")

import numba
from numba import njit, prange

if TYPE_CHECKING:
    from simulator.dynamics.shopper import Buffers
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]
Number = Any

CHUNK = 256
N_OFFERS = len(Offer._fields)
_SPEND = Draws._fields.index("spend")

# Without "numpy", each division would test for zero and raise.
_compile = partial(njit, error_model="numpy")
_inline = partial(njit, error_model="numpy", inline="always")


@_inline
def _where(condition: Number, yes: Number, no: Number) -> Number:
    return yes if condition else no


@_inline
def _least(a: Number, b: Number) -> Number:
    return a if a < b else b


@_inline
def _most(a: Number, b: Number) -> Number:
    return a if a > b else b


_polynomial = _inline(exponential.polynomial)
_LARGEST, _ROUND, _LOG2_E = exponential.LARGEST, exponential.ROUND, exponential.LOG2_E
_LN2_HIGH, _LN2_LOW = exponential.LN2_HIGH, exponential.LN2_LOW


@_inline
def _exp(x: Number) -> Number:
    """As `simulator.dynamics.exponential.exp`."""
    x = _least(_most(x, -_LARGEST), _LARGEST)
    rounded = x * _LOG2_E + _ROUND
    k = rounded - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    bits = np.int64((np.float64(rounded).view(np.int64) + np.int64(1023)) << np.int64(52))
    return _polynomial(r) * bits.view(np.float64)


NUMBERS: dict[str, Any] = {"where": _where, "least": _least, "most": _most, "exp": _exp}
"""What functions over arrays are compiled with, in place of numpy's."""


def compiled_all(module: Any) -> dict[str, Any]:
    """The functions of a module's ``IN_ORDER``, compiled together, among what they look up."""
    names: dict[str, Any] = {**vars(module), **NUMBERS}
    for function in module.IN_ORDER:
        rebound = FunctionType(function.__code__, names, function.__name__)
        names[function.__name__] = _compile(rebound, forceinline=True)
    return names


_live = compiled_all(day)["live"]
mix = _inline(draws.mix)
_GAMMA, _MANTISSA, _UPPER = draws.GAMMA, draws.MANTISSA, draws.UPPER
_UPPER_BITS, _ONE_BITS = draws.UPPER_BITS, draws.ONE_BITS
_N_WORDS = N_DRAWS // 2


@_inline
def unit(word: Number) -> Number:
    """As `simulator.dynamics.draws.unit`."""
    return np.uint64((word & _UPPER_BITS) | _ONE_BITS).view(np.float64) - 1.0


@_compile
def _draw(keys: Number, days: Number, u: Number) -> None:
    """As `simulator.dynamics.draws.uniforms`, into a buffer."""
    for word in range(_N_WORDS):
        step = np.uint64(word + 1) * _GAMMA
        for i in range(CHUNK):
            bits = mix(keys[i] + days[i] * (np.uint64(_N_WORDS) * _GAMMA) + step)
            u[2 * word * CHUNK + i] = unit(bits >> _MANTISSA)
            u[(2 * word + 1) * CHUNK + i] = unit(bits << _UPPER)


@_compile
def _look_up(tables: Number, days: Number, action: Number, u: Number, o: Number) -> None:
    """The rows of `Offer`, into a buffer."""
    actions, demand, market, basket = tables
    for row in range(actions.shape[0]):
        for i in range(CHUNK):
            o[row * CHUNK + i] = actions[row, action[i]]
    first = actions.shape[0] * CHUNK
    for i in range(CHUNK):
        today = days[i] % np.uint64(demand.shape[0])
        o[first + i] = demand[today]
        o[first + CHUNK + i] = market[today]
        o[first + 2 * CHUNK + i] = basket[np.int64(u[_SPEND * CHUNK + i] * basket.shape[0])]


@_inline
def _live_one(effects: Number, t: Number, s: Number, o: Number, u: Number, i: int) -> Number:
    """One shopper's day out of buffers."""
    c = CHUNK
    traits = Traits(
        t[i], t[i + c], t[i + 2*c], t[i + 3*c], t[i + 4*c], t[i + 5*c], t[i + 6*c], t[i + 7*c],
        t[i + 8*c], t[i + 9*c], t[i + 10*c], t[i + 11*c], t[i + 12*c],
    )  # fmt: skip
    state = State(
        s[i], s[i + c], s[i + 2*c], s[i + 3*c], s[i + 4*c], s[i + 5*c], s[i + 6*c], s[i + 7*c],
        s[i + 8*c], s[i + 9*c], s[i + 10*c], s[i + 11*c], s[i + 12*c], s[i + 13*c], s[i + 14*c],
        s[i + 15*c], s[i + 16*c], s[i + 17*c], s[i + 18*c], s[i + 19*c], s[i + 20*c], s[i + 21*c],
    )  # fmt: skip
    offer = Offer(
        o[i], o[i + c], o[i + 2*c], o[i + 3*c], o[i + 4*c], o[i + 5*c], o[i + 6*c], o[i + 7*c],
        o[i + 8*c], o[i + 9*c],
    )  # fmt: skip
    luck = Draws(
        u[i], u[i + c], u[i + 2*c], u[i + 3*c], u[i + 4*c], u[i + 5*c], u[i + 6*c], u[i + 7*c],
        u[i + 8*c], u[i + 9*c], u[i + 10*c], u[i + 11*c], u[i + 12*c], u[i + 13*c], u[i + 14*c],
        u[i + 15*c],
    )  # fmt: skip
    return _live(effects, traits, state, offer, luck)


@_compile
def _live_chunk(
    effects: Number, t: Number, s: Number, o: Number, u: Number, new: Number, out: Number
) -> None:
    c = CHUNK
    for i in range(CHUNK):
        tomorrow, outcome = _live_one(effects, t, s, o, u, i)
        (
            new[i], new[i + c], new[i + 2*c], new[i + 3*c], new[i + 4*c], new[i + 5*c],
            new[i + 6*c], new[i + 7*c], new[i + 8*c], new[i + 9*c], new[i + 10*c], new[i + 11*c],
            new[i + 12*c], new[i + 13*c], new[i + 14*c], new[i + 15*c], new[i + 16*c],
            new[i + 17*c], new[i + 18*c], new[i + 19*c], new[i + 20*c], new[i + 21*c],
        ) = tomorrow  # fmt: skip
        (
            out[i], out[i + c], out[i + 2*c], out[i + 3*c], out[i + 4*c], out[i + 5*c],
            out[i + 6*c], out[i + 7*c], out[i + 8*c], out[i + 9*c], out[i + 10*c], out[i + 11*c],
            out[i + 12*c], out[i + 13*c], out[i + 14*c], out[i + 15*c], out[i + 16*c],
            out[i + 17*c], out[i + 18*c], out[i + 19*c], out[i + 20*c], out[i + 21*c],
        ) = outcome  # fmt: skip


@_compile
def _load(block: Number, start: int, size: int, buffer: Number) -> None:
    for row in range(block.shape[0]):
        for i in range(size):
            buffer[row * CHUNK + i] = block[row, start + i]


@_compile
def _store(buffer: Number, start: int, size: int, block: Number) -> None:
    for row in range(block.shape[0]):
        for i in range(size):
            block[row, start + i] = buffer[row * CHUNK + i]


@njit(parallel=True, nogil=True, error_model="numpy")
def _advance(  # noqa: PLR0913, PLR0917  # arrays in one tuple would be slower
    effects: Number, tables: Number, t: Number, s: Number, action: Number, keys: Number,
    new: Number, out: Number,
) -> None:  # fmt: skip
    n = s.shape[1]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start = chunk * CHUNK
        size = min(CHUNK, n - start)
        traits, state = np.empty(N_TRAITS * CHUNK), np.empty(N_STATES * CHUNK)
        luck, offer = np.empty(N_DRAWS * CHUNK), np.empty(N_OFFERS * CHUNK)
        tomorrow, outcome = np.empty(N_STATES * CHUNK), np.empty(N_OUTCOMES * CHUNK)
        days, own_keys = np.zeros(CHUNK, np.uint64), np.zeros(CHUNK, np.uint64)
        chosen = np.zeros(CHUNK, np.int64)
        _load(t, start, size, traits)
        _load(s, start, size, state)
        for i in range(size):
            days[i] = np.uint64(s[0, start + i])
            own_keys[i] = keys[start + i]
            chosen[i] = action[start + i]
        _draw(own_keys, days, luck)
        _look_up(tables, days, chosen, luck, offer)
        _live_chunk(effects, traits, state, offer, luck, tomorrow, outcome)
        _store(tomorrow, start, size, new)
        _store(outcome, start, size, out)


def advance(
    world: World,
    traits: Array,
    state: Array,
    action: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    out: Buffers | None = None,
) -> tuple[Array, Array]:
    """`simulator.dynamics.step.advance`, compiled: the same arguments, the same bits."""
    if out is None:
        tomorrow = np.empty((N_STATES, state.shape[1]))
        outcome = np.empty((N_OUTCOMES, state.shape[1]))
    else:
        tomorrow, outcome = out.state, out.outcome
    _advance(world.effects, world.tables, traits, state, action, keys, tomorrow, outcome)
    return tomorrow, outcome


def use_threads(n_threads: int) -> None:
    """How many threads the compiled steps of this process share."""
    numba.set_num_threads(n_threads)
