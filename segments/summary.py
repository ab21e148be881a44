"""A profile as a person reads it, for the page that explains one visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from segments.event import CHANNELS
from segments.features.schema import SCHEMA
from segments.hashing import value_hash

if TYPE_CHECKING:
    from segments.context import Context
    from segments.profile import Profile
    from segments.tally import Tally

TOP = 5
"""Names shown of categories and of brands."""

Ranking = list[tuple[str, float]]
"""Values with the visitor's affinity to each."""


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """One visitor at one moment, as a person reads it.

    Args:
        orders: purchases less cancellations.
        revenue_cents: their money without shipping and tax, less refunds.
        last_order: when the latest purchase happened, or None.
        top_categories, top_brands: up to five names with the visitor's affinity, best first.
        segment: id of the segment, or None.
    """

    visitor: str
    events: int
    sessions: int
    orders: int
    revenue_cents: int
    first_seen: datetime
    last_seen: datetime
    last_order: datetime | None
    top_categories: tuple[tuple[str, float], ...]
    top_brands: tuple[tuple[str, float], ...]
    segment: str | None


def summarize(context: Context, profile: Profile, drawn_to: dict[str, Ranking]) -> ProfileSummary:
    """Puts a summary together.

    Args:
        context: of the same visitor and moment.
        profile: the visitor's state.
        drawn_to: by attribute, all values that have a name, with affinities.
    """
    column = {name: profile.columns[at] for name, at in SCHEMA.index.items()}
    events = sum(column[f"events_{channel.replace('-', '_')}"] for channel in CHANNELS)
    return ProfileSummary(
        visitor=context.visitor,
        events=int(events),
        sessions=len(profile.sessions),
        orders=max(0, int(column["orders"])),
        revenue_cents=max(0, round(column["revenue_cents"])),
        first_seen=_time(column["first_seen_s"]),
        last_seen=_time(column["last_seen_s"]),
        last_order=_time(column["last_order_s"]) if isfinite(column["last_order_s"]) else None,
        top_categories=_top(drawn_to["category"], profile.categories),
        top_brands=_top(drawn_to["brand"], profile.brands),
        segment=context.segment,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _top(ranking: Ranking, own: Tally) -> tuple[tuple[str, float], ...]:
    """The best of the values that the visitor did touch."""
    touched = [item for item in ranking if value_hash(item[0]) in own.keys]
    touched.sort(key=lambda item: (-item[1], item[0]))
    return tuple(touched[:TOP])
