"""How a bound on a feature reads to a merchandiser, in natural units.

A new feature gets a line in `PHRASES`; one without still reads, as its name and number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10
from typing import TYPE_CHECKING, Final

from segments.features.base import NEVER_DAYS
from segments.features.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable


def _number(value: float) -> str:
    """Two significant digits, which is all that a tree's threshold is worth: 8.7, 43, 1,200."""
    if value < 0.05:
        return "0"
    digits = 1 - floor(log10(value))
    rounded = round(value, digits)
    return f"{rounded:,.0f}" if rounded >= 10 or rounded == int(rounded) else f"{rounded:.1f}"


def _days(value: float) -> str:
    if value < 1.5:
        return f"{max(1, round(value * 24))} hours"
    return f"{_number(value)} days"


def _money(cents: float) -> str:
    return _number(cents / 100.0)


def _pace(orders_per_30_days: float) -> str:
    """A rate as the time between two purchases, which is how people say it."""
    return _days(30.0 / max(orders_per_30_days, 30.0 / NEVER_DAYS))


def _percent(share: float) -> str:
    return f"{max(share, 0.0):.0%}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Sentences for "below", "above" and "between", with places for the formatted bounds.

    Args:
        unit: writes a bound.
        whole: whether values are whole numbers: "above 4.5" is then "5 or more".
        never: from this value on the feature only says that the thing never happened; then
            `has` stands for "below" and `has_not` for "above".
        least: below this value there is as good as nothing, and `nothing` says so.
    """

    below: str
    above: str
    between: str
    unit: Callable[[float], str] = _number
    whole: bool = False
    never: float = inf
    has: str = ""
    has_not: str = ""
    least: float = -inf
    nothing: str = ""


_ALMOST_NEVER: Final = 0.5 * NEVER_DAYS

PHRASES: Final = {
    "recency_days": Phrase(
        "last purchase under {} ago",
        "no purchase in the last {}",
        "last purchase {} to {} ago",
        _days,
        never=_ALMOST_NEVER,
        has="bought within a year",
        has_not="has not bought for a year or ever",
    ),
    "orders": Phrase(
        "at most {} orders",
        "{} or more orders",
        "{} to {} orders",
        whole=True,
        least=1.0,
        nothing="no orders yet",
    ),
    "orders_per_30_days": Phrase(
        "lately buys less often than every {}",
        "lately buys at least every {}",
        "lately buys every {} to {}",
        _pace,
    ),
    "revenue_cents": Phrase(
        "spent under {} in all",
        "spent over {} in all",
        "spent {} to {} in all",
        _money,
        least=100.0,
        nothing="spent nothing",
    ),
    "average_order_cents": Phrase(
        "spends under {} a basket", "spends over {} a basket", "spends {} to {} a basket", _money
    ),
    "basket_items": Phrase(
        "under {} items a basket", "over {} items a basket", "{} to {} items a basket"
    ),
    "purchase_interval_days": Phrase(
        "buys every {} or more often",
        "under one purchase every {}",
        "buys every {} to {}",
        _days,
        never=_ALMOST_NEVER,
        has="has bought more than once",
        has_not="has hardly bought twice",
    ),
    "sessions": Phrase("at most {} visits", "{} or more visits", "{} to {} visits", whole=True),
    "weekend_order_share": Phrase(
        "under {} of orders on weekends",
        "over {} of orders on weekends",
        "{} to {} of orders on weekends",
        _percent,
    ),
    "top_category_share": Phrase(
        "favourite category under {} of interest",
        "favourite category over {} of interest",
        "favourite category {} to {} of interest",
        _percent,
    ),
    "category_evenness": Phrase(
        "interest spread under {} even over categories",
        "interest spread over {} even over categories",
        "interest spread {} to {} even over categories",
        _percent,
    ),
    "top_brand_share": Phrase(
        "favourite brand under {} of interest",
        "favourite brand over {} of interest",
        "favourite brand {} to {} of interest",
        _percent,
    ),
    "discount_share": Phrase(
        "under {} off by discounts",
        "over {} off by discounts",
        "{} to {} off by discounts",
        _percent,
    ),
}
_CHANNEL: Final = Phrase(
    "under {} of visits by {channel}",
    "over {} of visits by {channel}",
    "{} to {} of visits by {channel}",
    _percent,
)
_READINGS: Final = {reading.name: reading for reading in SCHEMA.readings}


def phrase(feature: str, low: float, high: float) -> str:
    """The words for low < feature <= high.

    Args:
        feature: name of the feature.
        low: lower bound in the feature's own scale; -inf for none.
        high: upper bound; inf for none.

    Example:
        >>> phrase("discount_share", -inf, 0.1)
        'under 10% off by discounts'
    """
    reading = _READINGS.get(feature)
    if reading is not None:
        low = reading.natural(low) if isfinite(low) else low
        high = reading.natural(high) if isfinite(high) else high
    words = PHRASES.get(feature)
    channel = ""
    if words is None and feature.startswith("channel_"):
        words, channel = _CHANNEL, feature.removeprefix("channel_").removesuffix("_share")
    if words is None:
        name = feature.replace("_", " ")
        words = Phrase(
            f"{name} under {{}}", f"{name} over {{}}", f"{name} {{}} to {{}}", "{:.3g}".format
        )
    return _fill(words, low, high).replace("{channel}", channel.replace("_", "-"))


def _fill(words: Phrase, low: float, high: float) -> str:
    if not isfinite(low) and high < words.least:
        return words.nothing
    if low >= words.never:
        return words.has_not
    if isfinite(high) and high >= words.never:
        if not isfinite(low):
            return words.has
        high = inf
    if words.whole:
        low, high = (ceil(low) if isfinite(low) else low), (floor(high) if isfinite(high) else high)
    bounds = [words.unit(x) for x in (low, high) if isfinite(x)]
    if len(bounds) == 2:  # "9 to 30 days", not "9 days to 30 days"
        bounds[0] = bounds[0].removesuffix(bounds[1].lstrip("0123456789.,"))
    pattern = words.between if len(bounds) == 2 else words.below if isfinite(high) else words.above
    for bound in bounds:
        pattern = pattern.replace("{}", bound, 1)
    return pattern
