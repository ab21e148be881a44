"""`[retention]`: how long rows of the log are kept, and what that must not take away.

Under `api.settings`. What a row is still needed for depends on other sections: `retention_faults`
refuses what could not be kept exact.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from api.section import Section

if TYPE_CHECKING:
    from api.settings import Settings

LONGEST_DAYS = 36_525
MINUTES_OF_A_DAY = 24 * 60


class RetentionSettings(Section):
    """`[retention]`: days for which rows are kept; those of the log forever, unless given."""

    events_days: int | None = Field(
        None, ge=2, le=LONGEST_DAYS, description="Events, from when they were received."
    )
    decisions_days: int | None = Field(
        None,
        ge=1,
        le=LONGEST_DAYS,
        description="Decisions with their rewards, from when their window closed.",
    )
    dead_letters_days: int | None = Field(
        None, ge=1, le=LONGEST_DAYS, description="Refused messages."
    )
    idempotency_days: int = Field(
        7, ge=1, le=LONGEST_DAYS, description="Answers to requests with an `Idempotency-Key`."
    )
    outbox_days: int = Field(
        7, ge=4, le=LONGEST_DAYS, description="Webhooks to endpoints, delivered or not."
    )

    transitions_days: int | None = Field(
        None, ge=1, le=LONGEST_DAYS, description="Changes of segment."
    )

    @property
    def keeps_all(self) -> bool:
        """Whether nothing of the log ever goes."""
        return not any(
            (
                self.events_days,
                self.decisions_days,
                self.dead_letters_days,
                self.transitions_days,
            )
        )


def retention_faults(settings: "Settings") -> Iterator[str]:
    """One line for each fault, naming field, value and rule."""
    retention = settings.retention
    if retention.keeps_all:
        return
    if settings.service.clock == "replay":
        yield 'retention is given: with service.clock = "replay" nothing is old; leave it out'
    oldest = settings.events.max_age_days
    if retention.events_days is not None and retention.events_days <= oldest:
        yield (
            f"retention.events_days is {retention.events_days}: must be more than "
            f"events.max_age_days, which is {oldest}, or an event that comes twice counts twice"
        )
    if retention.decisions_days is None:
        return
    if retention.decisions_days < oldest:
        yield (
            f"retention.decisions_days is {retention.decisions_days}: must be at least "
            f"events.max_age_days, which is {oldest}, or late events find no decision to reward"
        )
    if settings.budgets or settings.inventories:
        yield (
            f"retention.decisions_days is {retention.decisions_days}: budgets and inventories are "
            "counted from all decisions, so keep those; leave it out"
        )
    longest = _longest_memory_days(settings)
    if retention.decisions_days < longest:
        yield (
            f"retention.decisions_days is {retention.decisions_days}: caps, cooldowns and prices "
            f"look back {longest:g} days, so keep decisions for as long"
        )


def _longest_memory_days(settings: "Settings") -> float:
    """How far rules look back."""
    days = [0.0]
    for action in settings.actions:
        days.append(0.0 if action.cap is None else action.cap.days)
        days.append((action.cooldown_minutes or 0.0) / MINUTES_OF_A_DAY)
    for limit in settings.limits:
        kept = limit.limit()
        days += [kept.days or 0.0, (kept.cooldown_minutes or 0.0) / MINUTES_OF_A_DAY]
    for placement in settings.placements:
        if placement.price is not None:
            guards = placement.price.guards()
            days.append(guards.period_us / 1e6 / 60 / MINUTES_OF_A_DAY)
    return max(days)
