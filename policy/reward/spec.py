"""What a placement counts as success: from a conversion to the reward of one decision.

Stands between the log and learning: a conversion that falls into a decision's window becomes
the number that the policy learns from.
"""

import math
from dataclasses import dataclass

from policy.errors import PolicyError

MATCHES = ("category", "brand", "product_id")
VALUES = ("hit", "revenue")
AGGREGATIONS = ("first", "sum")
LARGEST_REWARD = 1e6
"""A single conversion counts for no more, so that one mistaken order cannot bend a model."""


class RewardSpecError(PolicyError):
    """A reward specification that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a conversion.

    Args:
        product_id: The shop's id of the product, if any.
        category: Category of the product, if any.
        brand: Brand of the product, if any.
        revenue_cents: What the line brought, in minor units.
    """

    product_id: str | None
    category: str | None
    brand: str | None
    revenue_cents: int


@dataclass(frozen=True, slots=True)
class Conversion:
    """What happened, reduced to what a reward can depend on.

    Args:
        name: Name of the event, such as ``Order Completed``.
        revenue_cents: Revenue of the whole conversion, in minor units.
        lines: Its products.
    """

    name: str
    revenue_cents: int
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """The reward definition of one placement.

    A decision's reward is the value of the conversions named ``event`` that happen in
    ``[decided_at, decided_at + window)``; a window that closes without one earns ``default``.

    * ``value = "hit"`` pays 1 when the conversion qualifies, else ``default``.
    * ``value = "revenue"`` pays the revenue of what qualifies, in currency units (cents / 100), at
      most ``LARGEST_REWARD``.
    * With ``match``, only lines whose attribute equals the action's own qualify.
    * ``aggregation = "first"`` settles a decision with the first conversion of its window, hit or
      miss; ``"sum"`` adds up every one.

    Args:
        event: Name of the event that counts.
        match: ``category``, ``brand``, ``product_id``, or None for any conversion.
        value: ``hit`` or ``revenue``.
        window_minutes: Length of the attribution window, at least 1.
        aggregation: ``first`` or ``sum``.
        default: Reward of a decision whose window closed without a conversion.

    Raises:
        RewardSpecError: When a field has no meaning, naming field, value and rule.

    Example:
        >>> spec = RewardSpec("Order Completed", match="category")
        >>> order = Conversion("Order Completed", 500, (Line("p1", "BEEF", None, 500),))
        >>> spec.reward(order, "BEEF"), spec.reward(order, "SOUP")
        (1.0, 0.0)
    """

    event: str
    match: str | None = None
    value: str = "hit"
    window_minutes: int = 24 * 60
    aggregation: str = "first"
    default: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in (("value", VALUES), ("aggregation", AGGREGATIONS)):
            if getattr(self, name) not in allowed:
                raise RewardSpecError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {allowed}"
                )
        if self.match is not None and self.match not in MATCHES:
            raise RewardSpecError(f"match is {self.match!r}; it must be one of {MATCHES}")
        if self.window_minutes < 1:
            raise RewardSpecError(f"window_minutes is {self.window_minutes}; it must be at least 1")
        if not math.isfinite(self.default):
            raise RewardSpecError(f"default is {self.default}; it must be a finite number")

    def reward(self, conversion: Conversion, matched: str | None) -> float:
        """Reward of one conversion for one decision.

        Args:
            conversion: What happened.
            matched: The chosen action's value of the attribute named by ``match``.

        Returns:
            The reward; ``default`` when nothing of the conversion qualifies.
        """
        revenue_cents = self._qualifying_cents(conversion, matched)
        if revenue_cents is None:
            return self.default
        return 1.0 if self.value == "hit" else min(revenue_cents / 100, LARGEST_REWARD)

    def _qualifying_cents(self, conversion: Conversion, matched: str | None) -> int | None:
        if self.match is None:
            return conversion.revenue_cents
        if matched is None:
            return None
        lines = [line for line in conversion.lines if getattr(line, self.match) == matched]
        return sum(line.revenue_cents for line in lines) if lines else None
