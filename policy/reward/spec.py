"""What a placement counts as success: from conversions to the reward of one decision.

Stands between the log and learning: what falls into a decision's window becomes the number that
the policy learns from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from policy.errors import RewardSpecError
from policy.reward.expression import Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.reward.conversion import Conversion

MATCHES = ("category", "brand", "product_id")
DECIDED: Final = "decided"
SHOWN: Final = "shown"
ACTIVATIONS = (DECIDED, SHOWN)
REVERSALS = ("Order Refunded", "Order Cancelled")
"""Events that take back by themselves what their order earned."""

LARGEST_REWARD = 1e6
"""A single conversion counts for no more, so that one mistaken order cannot bend a model."""


class Earning(NamedTuple):
    """What one conversion is worth to a decision, at its net.

    Args:
        happened_at_us: When, in microseconds since 1970.
        worth: In units of reward.
    """

    happened_at_us: int
    worth: float


def _in_time(earnings: Sequence[Earning]) -> list[Earning]:
    """By when they happened; at one instant, by which was heard of first."""
    return sorted(earnings, key=attrgetter("happened_at_us"))


AGGREGATIONS: Mapping[str, Callable[[Sequence[Earning]], float]] = {
    "first": lambda earnings: _in_time(earnings)[0].worth,
    "last": lambda earnings: _in_time(earnings)[-1].worth,
    "max": lambda earnings: max(earning.worth for earning in earnings),
    "mean": lambda earnings: math.fsum(earning.worth for earning in earnings) / len(earnings),
    "sum": lambda earnings: math.fsum(earning.worth for earning in earnings),
}
SETTLING = ("first", "last")
"""Aggregations under which one conversion settles a decision, hit or miss."""


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """A kind of event that earns a reward.

    Args:
        name: Name of the event.
        weight: Its value is multiplied by this; below 0 it costs.
        value: Arithmetic over a conversion, see ``expression``: ``hit`` is 1.

    Raises:
        RewardSpecError: When the weight or the value has no meaning.

    Example:
        >>> from policy.reward.conversion import Conversion
        >>> CountedEvent("Product Added", weight=0.1).worth(Conversion("Product Added", 0))
        0.1
    """

    name: str
    weight: float = 1.0
    value: str = "hit"
    _expression: Expression = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name in REVERSALS:
            rule = "takes back by itself what its order earned; leave it out"
            raise RewardSpecError("event", self.name, rule)
        if not 0 < abs(self.weight) <= LARGEST_REWARD:
            rule = f"must be a number within ±{LARGEST_REWARD:g} other than 0"
            raise RewardSpecError("weight", self.weight, rule)
        object.__setattr__(self, "_expression", Expression(self.value))

    def worth(self, conversion: Conversion) -> float:
        """``weight * value``, within ``±LARGEST_REWARD``."""
        worth = self.weight * self._expression.of(conversion)
        return max(-LARGEST_REWARD, min(worth, LARGEST_REWARD))


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """The reward definition of one placement.

    A decision's reward is made of the conversions that happen in
    ``[decided_at, decided_at + window)``, each at its net of refunds, and of what was reported:

        reward = clip(aggregation(worth of each conversion) + sum of reports)

    and ``default``, once the window closed with neither. While it is open there is no reward yet.

    * With ``match``, only products whose attribute equals the action's own count. A conversion
      without any is a miss: ``first`` and ``last`` take it for ``default``, the others leave it
      out.
    * With ``activation = "shown"``, a decision that was never shown has no reward at all.

    Args:
        event: Name of the event that counts, with ``value``; or several ``events``.
        match: ``category``, ``brand``, ``product_id``, or None for any conversion.
        value: Arithmetic over a conversion, such as ``hit``, ``revenue`` or ``revenue - cost``.
        window_minutes: Length of the attribution window, at least 1.
        aggregation: ``first``, ``last``, ``sum``, ``max`` or ``mean``.
        default: Reward of a decision whose window closed without a conversion.
        events: Kinds of event that count, each once, instead of ``event``.
        clip: Lowest and highest reward of a decision; None for no bounds.
        activation: ``decided``, or ``shown`` where a decision counts only once it was activated.

    Raises:
        RewardSpecError: When fields have no meaning or contradict each other, naming them.

    Example:
        >>> from policy.reward.conversion import Conversion, Line
        >>> spec = RewardSpec("Order Completed", match="category", aggregation="sum", clip=(0, 1.5))
        >>> order = Conversion("Order Completed", 500, (Line("p1", "BEEF", None, 500),))
        >>> spec.worth(order, "BEEF"), spec.worth(order, "SOUP")
        (1.0, None)
        >>> spec.total([Earning(1, 1.0), Earning(2, 1.0)], None, closed=False)
        1.5
    """

    event: str | None = None
    match: str | None = None
    value: str = "hit"
    window_minutes: int = 24 * 60
    aggregation: str = "first"
    default: float = 0.0
    events: tuple[CountedEvent, ...] = ()
    clip: tuple[float, float] | None = None
    activation: str = DECIDED
    counted: Mapping[str, CountedEvent] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("aggregation", AGGREGATIONS),
            ("activation", ACTIVATIONS),
            ("match", (None, *MATCHES)),
        ):
            if getattr(self, name) not in allowed:
                rule = f"must be one of {', '.join(filter(None, allowed))}"
                raise RewardSpecError(name, getattr(self, name), rule)
        if self.window_minutes < 1:
            raise RewardSpecError("window_minutes", self.window_minutes, "must be at least 1")
        if not math.isfinite(self.default):
            raise RewardSpecError("default", self.default, "must be a finite number")
        self._check_clip()
        object.__setattr__(self, "counted", self._counted())

    def worth(self, conversion: Conversion, matched: str | None) -> float | None:
        """What one conversion is worth to one decision.

        Args:
            conversion: What happened, at its net.
            matched: The chosen action's value of the attribute named by ``match``.

        Returns:
            None when the conversion does not count.
        """
        part: Conversion | None = conversion
        if self.match is not None:
            part = conversion.matching(self.match, matched)
        if part is None:
            return self.default if self.aggregation in SETTLING else None
        return self.counted[conversion.name].worth(part)

    def total(
        self, earnings: Sequence[Earning], reported: float | None, *, closed: bool
    ) -> float | None:
        """The reward of one decision.

        Args:
            earnings: Of the conversions that count, as they were heard of.
            reported: Sum of the reported rewards; None for no report.
            closed: Whether the window is over.

        Returns:
            None when there is none yet.
        """
        if not earnings and reported is None:
            return self.default if closed else None
        total = AGGREGATIONS[self.aggregation](earnings) if earnings else 0.0
        if reported is not None:
            total += reported
        return total if self.clip is None else max(self.clip[0], min(total, self.clip[1]))

    def _check_clip(self) -> None:
        if self.clip is None:
            return
        low, high = self.clip
        if not -math.inf < low < high < math.inf:
            rule = "must be two finite numbers, the lower one first"
            raise RewardSpecError("clip", [low, high], rule)
        if not low <= self.default <= high:
            rule = f"must lie within clip, which is [{low}, {high}]"
            raise RewardSpecError("default", self.default, rule)

    def _counted(self) -> dict[str, CountedEvent]:
        if not self.events:
            if self.event is None:
                raise RewardSpecError("event", None, "must name the event that counts")
            return {self.event: CountedEvent(self.event, value=self.value)}
        for name, unsaid in (("event", None), ("value", "hit")):
            if getattr(self, name) != unsaid:
                rule = "is for a single event; with events, leave it out"
                raise RewardSpecError(name, getattr(self, name), rule)
        counted: dict[str, CountedEvent] = {}
        for event in self.events:
            if event.name in counted:
                raise RewardSpecError("events", event.name, "is there more than once")
            counted[event.name] = event
        return counted
