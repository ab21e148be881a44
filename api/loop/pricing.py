"""Pricing: a price drawn out of a placement's range, where the guards have left it.

Between `api.loop.decide`, which has found the action to be eligible, and the policy that says how
likely each price is. docs/prices.md explains it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from policy.bandits.cats import Cats
from policy.base import Candidates
from policy.catalog.action import Action
from policy.catalog.history import History, price_key
from policy.catalog.price import PriceGuards
from policy.catalog.price_range import CENTS_PER_UNIT, for_everybody, for_visitor, nearest


class DrawnPrice(NamedTuple):
    """A price to show.

    Args:
        density: Per cent, at the price; None for one that was not drawn.
        probability: Of the price, on its grid.
        features: What is learned from, float32 (1, 1).
        expected: Reward that the policy expects of it, (1,).
        allowed: The prices that it was drawn from; None for one that was not drawn.
    """

    cents: int
    density: float | None
    probability: float
    features: npt.NDArray[np.float32]
    expected: npt.NDArray[np.float64]
    allowed: range | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pricing:
    """How a placement prices its action.

    Args:
        action: Whose price it is.
        policy: Makes the density; the placement's own.
        guards: What prices have to keep to.
        prices: Those that the guards allow everybody.
        key: Of the action's price in a visitor's history.
    """

    action: Action
    policy: Cats
    guards: PriceGuards
    prices: range
    key: int

    @classmethod
    def of(cls, placement: str, action: Action, policy: Cats, guards: PriceGuards) -> "Pricing":
        """The pricing of one action at one placement."""
        prices = for_everybody(policy.bins.prices.all, guards, action.cost_cents)
        return cls(action, policy, guards, prices, price_key(placement, action.price_of))

    def draw(
        self,
        context: npt.NDArray[np.float32],
        history: History,
        now_us: int,
        rng: np.random.Generator,
    ) -> DrawnPrice | None:
        """One draw out of what this visitor may be shown; None where that is nothing.

        Args:
            context: (n_context,).
            history: What the visitor saw.
            now_us: Microseconds since 1970.
            rng: Of the decision.
        """
        seen = history.prices.get(self.key)
        allowed = for_visitor(self.prices, self.guards, seen, now_us)
        if not allowed:
            return None
        density = self.policy.density(context, allowed, rng)
        cents = nearest(allowed, density.draw(rng.random()))
        at_price = float(density.at(cents))
        return self._priced(context, cents, at_price, at_price * allowed.step, allowed)

    def fixed(self, context: npt.NDArray[np.float32]) -> DrawnPrice:
        """The action's own price, for who is shown nothing else."""
        cents = self.action.price_cents
        assert cents is not None  # noqa: S101  # as `api.rule_checks` says
        return self._priced(context, cents, None, 1.0)

    def _priced(
        self,
        context: npt.NDArray[np.float32],
        cents: int,
        density: float | None,
        probability: float,
        allowed: range | None = None,
    ) -> DrawnPrice:
        features = np.array([[cents / CENTS_PER_UNIT]], np.float32)
        expected = self.policy.expected_rewards(context, Candidates((self.action.id,), features))
        return DrawnPrice(cents, density, probability, features, expected, allowed)
