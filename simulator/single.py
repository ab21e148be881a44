"""One shopper, lived through over plain numbers: the source of the array step, the same bits.

What `simulator.env` steps with. numpy takes a microsecond to look at an array of one number, and a
day has a thousand of them; here the functions of `simulator.dynamics.day`, `simulator.footprint`
and `simulator.readings` run over Python's floats. `simulator.single_compiled` compiles them.
"""

from __future__ import annotations

import math
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from simulator import footprint, readings
from simulator.dynamics import day
from simulator.dynamics.draws import uniforms_of_one
from simulator.dynamics.exponential import (
    LARGEST,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    ROUND,
    polynomial,
)
from simulator.dynamics.shopper import N_DRAWS, Draws, Offer, State, Traits
from simulator.footprint import Footprint

if TYPE_CHECKING:
    from simulator.crowd import Crowd
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]
_EMAIL_ON, _PUSH_ON = State._fields.index("email_on"), State._fields.index("push_on")


class AdvanceOne(Protocol):
    """A day of one shopper, in place."""

    def __call__(
        self, world: World, traits: Array, state: Array, sums: Array, action: int, key: np.uint64
    ) -> tuple[Array, Array]:
        """Moves state and sums on by a day.

        Args:
            world: Everything that is not a shopper.
            traits: (n_traits,).
            state: (n_states,), changed.
            sums: (n_sums,), changed.
            action: Index into ``world.actions``.
            key: From ``simulator.dynamics.draws.shopper_keys``.

        Returns:
            What happened, (n_outcomes,), and ``simulator.readings.read`` of the next morning.
        """


class Single:
    """The only shopper of a crowd, moved on in place; the crowd stays the one who knows.

    Args:
        crowd: Of one slot, observed by its features.
        advance: How a day is computed.

    Example:
        >>> from simulator.crowd import Crowd
        >>> from simulator.dynamics.world import World
        >>> crowd = Crowd(World(), 1)
        >>> single = Single(crowd, advance)
        >>> single.meet()
        >>> single.live(0).shape, crowd.state[0]
        ((22,), array([1.]))
        >>> bool((single.observation() == crowd.observation()[0]).all())
        True
    """

    def __init__(self, crowd: Crowd, advance: AdvanceOne) -> None:
        self.crowd = crowd
        self._advance = advance
        self._emails, self._pushes = (
            np.array([action.channel == channel for action in crowd.world.actions])
            for channel in ("email", "push")
        )

    def meet(self) -> None:
        """Takes up whoever is in the crowd's slot now; after every change that is not ``live``."""
        crowd = self.crowd
        # Views: what happens to them happens to the crowd.
        self._traits, self._state, self._sums = (
            block[:, 0] for block in (crowd.traits, crowd.state, crowd.sums)
        )
        self._key = crowd.keys[0]
        self._readings: Array | None = None
        self._open = (1.0, 1.0)
        self._mask = np.ones(crowd.world.n_actions, np.bool_)
        self._look_at_channels()

    def live(self, action: int) -> Array:
        """What happened today, rows as in ``Outcome``.

        Raises:
            ActionError: An action outside of the space, or masked; then nothing happened.
        """
        whole = isinstance(action, int | np.integer) and 0 <= action < len(self._mask)
        if not whole or not self._mask[action]:
            self.crowd.checked(np.array([action]))  # says what is wrong
        outcome, self._readings = self._advance(
            self.crowd.world, self._traits, self._state, self._sums, int(action), self._key
        )
        self._look_at_channels()
        return outcome

    def observation(self) -> npt.NDArray[np.float32]:
        """As the crowd's, (n_features,)."""
        if self._readings is None:
            seen: npt.NDArray[np.float32] = self.crowd.observation()[0]
            return seen
        return readings.assembled_one(self._readings, self._state.item(0))

    def mask(self) -> npt.NDArray[np.bool_]:
        """As the crowd's, (n_actions,)."""
        return self._mask.copy()

    def _look_at_channels(self) -> None:
        found = self._state.item(_EMAIL_ON), self._state.item(_PUSH_ON)
        if found != self._open:
            closed = (self._emails & (found[0] == 0.0)) | (self._pushes & (found[1] == 0.0))
            self._open, self._mask = found, ~closed


def where(condition: bool, yes: float, no: float) -> float:
    """One of the two."""
    return yes if condition else no


def exp(x: float) -> float:
    """As `simulator.dynamics.exponential.exp`, of one number."""
    x = min(max(x, -LARGEST), LARGEST)
    k = (x * LOG2_E + ROUND) - ROUND
    r: Any = (x - k * LN2_HIGH) - k * LN2_LOW
    return float(polynomial(r)) * math.ldexp(1.0, int(k))


def floor(x: float) -> float:
    """As numpy's: a float."""
    return float(math.floor(x))


def over_floats(module: Any) -> dict[str, Any]:
    """The functions of a module's ``IN_ORDER`` over Python's floats, among what they look up.

    Example:
        >>> over_floats(readings)["since"](3.0, 5.5)
        2.5
    """
    names = {**vars(module), "where": where, "least": min, "most": max, "exp": exp,
             "sqrt": math.sqrt, "floor": floor}  # fmt: skip
    for function in module.IN_ORDER:
        names[function.__name__] = FunctionType(function.__code__, names, function.__name__)
    return names


_live = over_floats(day)["live"]
_folded = over_floats(footprint)["folded"]
_read = over_floats(readings)["read"]


def advance(
    world: World, traits: Array, state: Array, sums: Array, action: int, key: np.uint64
) -> tuple[Array, Array]:
    """See ``AdvanceOne``."""
    morning = State(*state.tolist())
    today = int(morning.day)
    drawn: list[Any] = uniforms_of_one(key, today, N_DRAWS)
    luck = Draws(*drawn)
    tables = world.tables
    of_year = today % len(tables.demand)
    slot = int(luck.spend * len(tables.basket))
    calendar = tables.demand.item(of_year), tables.market.item(of_year), tables.basket.item(slot)
    columns: list[Any] = [*tables.actions[:, action].tolist(), *calendar]
    offer = Offer(*columns)
    tomorrow, outcome = _live(world.effects, Traits(*traits.tolist()), morning, offer, luck)
    now = _folded(Footprint(*sums.tolist()), morning.day, offer, outcome)
    state[:] = tomorrow
    sums[:] = now
    return np.array(outcome), np.array(_read(now, tomorrow.day))
