"""A world: effects, population, actions and calendar. Everything of the simulator but the shopper.

`simulator.scenarios` names and reads worlds; `simulator.dynamics.step` lives in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from simulator.dynamics.effects import RANGES, Effects
from simulator.dynamics.population import Population
from simulator.dynamics.shopper import N_CATEGORIES
from simulator.errors import WorldError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Channel = Literal["none", "email", "push", "site"]
CHANNELS: Final = ("none", "email", "push", "site")
DAYS_A_YEAR: Final = 364
"""Of 52 whole weeks, so that a calendar repeats with its weekdays."""
N_BASKETS: Final = 1024


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a policy can do on a day.

    Args:
        id: What logs call it.
        channel: How it reaches the shopper; "none" reaches nobody.
        depth: Price cut, from 0 to below 1.
        is_coupon: Whether the cut is a coupon, to be used within ``Effects.coupon_days``.
        category: What the message is about, from 0; -1 for nothing in particular.
        cost_cents: Of sending it.

    Raises:
        WorldError: A value outside of its range.
    """

    id: str
    channel: Channel = "none"
    depth: float = 0.0
    is_coupon: bool = False
    category: int = -1
    cost_cents: float = 0.0

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise WorldError("channel", self.channel, f"must be one of {', '.join(CHANNELS)}")
        if not 0.0 <= self.depth < 1.0:
            raise WorldError("depth", self.depth, "must be at least 0 and below 1")
        if not -1 <= self.category < N_CATEGORIES:
            raise WorldError("category", self.category, f"must be from -1 to {N_CATEGORIES - 1}")
        if not 0.0 <= self.cost_cents < math.inf:
            raise WorldError("cost_cents", self.cost_cents, "must be a number of at least 0")


ACTIONS: Final = (
    Action("nothing"),
    Action("email-news", "email", cost_cents=2.0),
    Action("email-category-0", "email", category=0, cost_cents=2.0),
    Action("email-category-1", "email", category=1, cost_cents=2.0),
    Action("email-category-2", "email", category=2, cost_cents=2.0),
    Action("email-category-3", "email", category=3, cost_cents=2.0),
    Action("email-10", "email", depth=0.1, cost_cents=2.0),
    Action("email-25", "email", depth=0.25, cost_cents=2.0),
    Action("email-coupon-20", "email", depth=0.2, is_coupon=True, cost_cents=2.0),
    Action("push-news", "push", cost_cents=1.0),
    Action("push-15", "push", depth=0.15, cost_cents=1.0),
    Action("site-10", "site", depth=0.1),
)


class Tables(NamedTuple):
    """What the step looks up: columns of the actions, calendar, basket sizes.

    Attributes:
        actions: email, push, site, depth, is_coupon, category, cost_cents: (7, n_actions).
        demand: Seasonal factor on visits by day of the year, (364,).
        market: Price level by day of the year, (364,).
        basket: Equally likely sizes of a basket, mean 1, (1024,).
    """

    actions: Array
    demand: Array
    market: Array
    basket: Array


@dataclass(frozen=True)
class World:
    """Everything of a simulation but its shoppers.

    Args:
        name: Of the scenario.
        version: Of the scenario; results of different versions are not comparable.
        effects: Numbers that hold for everyone.
        population: Who the shoppers are.
        actions: At least one; the first should do nothing.
        demand: Seasonal factor on visits by day of the year, (364,).
        market: Price level by day of the year, relative to list, (364,).
        horizon_days: After which an episode is cut off.

    Raises:
        WorldError: Something in it cannot be.

    Example:
        >>> World().without("fatigue", "churn").effects.dropout
        0.0
    """

    name: str = "plain"
    version: int = 1
    effects: Effects = field(default_factory=Effects)
    population: Population = field(default_factory=Population)
    actions: tuple[Action, ...] = ACTIONS
    demand: tuple[float, ...] = field(default=(1.0,) * DAYS_A_YEAR, repr=False)
    market: tuple[float, ...] = field(default=(1.0,) * DAYS_A_YEAR, repr=False)
    horizon_days: int = 180

    def __post_init__(self) -> None:
        self.effects.checked()
        ids = [action.id for action in self.actions]
        if not ids or len(set(ids)) != len(ids):
            raise WorldError("actions", ids, "must be at least one, each with an id of its own")
        for name in ("demand", "market"):
            values = getattr(self, name)
            if len(values) != DAYS_A_YEAR or not all(0.0 <= value <= 100.0 for value in values):
                raise WorldError(name, values, f"must be {DAYS_A_YEAR} numbers from 0 to 100")
        if not 1 <= self.horizon_days <= 36_400:
            raise WorldError("horizon_days", self.horizon_days, "must be from 1 to 36400")

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.actions)

    @cached_property
    def tables(self) -> Tables:
        """What the step looks up."""
        columns = [
            (
                float(action.channel == "email"),
                float(action.channel == "push"),
                float(action.channel == "site"),
                action.depth,
                float(action.is_coupon),
                float(action.category),
                action.cost_cents,
            )
            for action in self.actions
        ]
        p = self.population.spend_p
        basket = gammaincinv(p, (np.arange(N_BASKETS) + 0.5) / N_BASKETS)
        return Tables(
            np.ascontiguousarray(np.array(columns).T),
            np.array(self.demand),
            np.array(self.market),
            basket / basket.mean(),
        )

    def without(self, *mechanisms: str) -> World:
        """The same world with some of ``simulator.dynamics.effects.MECHANISMS`` off."""
        return replace(self, effects=self.effects.without(*mechanisms))

    def perturbed(self, rng: np.random.Generator, share: float = 0.25) -> World:
        """A world whose effects are off by up to ``share`` either way, each on its own.

        Raises:
            WorldError: ``share`` is outside of [0, 1).
        """
        if not 0.0 <= share < 1.0:
            raise WorldError("share", share, "must be at least 0 and below 1")
        factors = 1.0 + share * rng.uniform(-1.0, 1.0, len(Effects._fields))
        changed = {}
        for (name, value), factor in zip(self.effects._asdict().items(), factors, strict=True):
            low, high = RANGES.get(name, (0.0, math.inf))
            changed[name] = float(min(max(value * factor, low), high))
            if name.endswith("_fade") or name in ("depth", "in_store", "season", "market"):
                # A fade is its half-life: what is perturbed is 1 - fade.
                changed[name] = float(1.0 - (1.0 - value) * factor) if value < 1.0 else value
        return replace(self, effects=Effects(**changed))
