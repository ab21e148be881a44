"""The rules of the configuration as the policy room's values."""

from datetime import tzinfo

from api.loop.clock import to_us
from api.loop.facts import vocabulary
from api.rule_settings import condition_of, limits_of, timezone_named
from api.settings import ActionSettings, PlacementSettings, Settings
from policy.catalog.condition.tree import AnyOf, Condition
from policy.catalog.condition.vocabulary import Vocabulary, check
from policy.catalog.limit import Limit, Scope, Tracked
from policy.catalog.rulebook import Rulebook, Rules
from policy.errors import ConditionError

NEVER = AnyOf(())
"""A condition that never holds."""


def tracked_of(settings: Settings) -> Tracked:
    """What has to be remembered of each visitor for all limits and price guards."""
    limits: dict[Scope, list[Limit]] = {}
    for action in settings.actions:
        limits.setdefault(("action", action.id), []).extend(limits_of(action))
    for each in settings.limits:
        scope: Scope = ("channel", each.channel) if each.channel else ("kind", str(each.kind))
        limits.setdefault(scope, []).append(each.limit())
    guards = {one.name: one.price.guards() for one in settings.placements if one.price is not None}
    periods_us = {name: one.period_us for name, one in guards.items() if one.remembers}
    return Tracked(limits, periods_us)


def rulebook_of(placement: PlacementSettings, settings: Settings, tracked: Tracked) -> Rulebook:
    """All rules of one placement.

    Raises:
        ConditionError: A condition asks what is not known at this placement.
    """
    offered = set(placement.actions)
    known = vocabulary(
        placement,
        [one for one in settings.actions if one.id in offered],
        [one.id for one in settings.segments.hand_made],
    )
    return Rulebook(
        placement.name,
        known,
        {
            action.id: _rules(action, None if action.id in offered else known)
            for action in settings.actions
            if (action.condition, action.starts, action.ends) != (None, None, None)
        },
        condition=condition_of(placement.condition),
        consent=settings.consent.consent(),
        guards=placement.price.guards() if placement.price and not placement.price_range else None,
        tracked=tracked,
    )


def timezone_of(settings: Settings) -> tzinfo:
    """Whose hours and dates the rules mean."""
    return timezone_named(settings.service.timezone)


def _rules(action: ActionSettings, foreign: Vocabulary | None) -> Rules:
    """The rules of an action; with `foreign`, of one that only a request can bring here.

    Then its condition may ask what this placement does not know, and does not hold.
    """
    condition = condition_of(action.condition)
    if condition is not None and foreign is not None and not _is_known(condition, foreign):
        condition = NEVER
    return Rules(
        condition,
        None if action.starts is None else to_us(action.starts),
        None if action.ends is None else to_us(action.ends),
    )


def _is_known(condition: Condition, known: Vocabulary) -> bool:
    try:
        check(condition, known)
    except ConditionError:
        return False
    return True
