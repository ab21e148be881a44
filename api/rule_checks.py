"""Rules that contradict each other over several sections of the configuration.

Asked by `api.settings` once every section is sound by itself: what is found here would otherwise
only show as an action that nobody ever sees, or as a default that nobody may see.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.loop.facts import visitor_vocabulary, vocabulary
from api.rule_settings import condition_of
from policy.bandits.build import POLICY_KINDS
from policy.bandits.cats import NO_CHOOSERS
from policy.catalog.condition.vocabulary import Vocabulary, check
from policy.catalog.consent import NEEDS_NO_CONSENT
from policy.catalog.price_range import for_everybody
from policy.errors import ConditionError

if TYPE_CHECKING:
    from api.settings import ActionSettings, PlacementSettings, Settings

CHOOSERS = tuple(kind for kind in POLICY_KINDS if kind not in NO_CHOOSERS)
"""Kinds of policies that can draw a price out of a range."""


def rule_faults(settings: "Settings") -> Iterator[str]:
    """One line for each fault, naming field, value and rule."""
    actions = {action.id: action for action in settings.actions}
    places = {action.id: i for i, action in enumerate(settings.actions)}
    hand_made = [one.id for one in settings.segments.hand_made]
    yield from _without_meaning(settings)
    for i, placement in enumerate(settings.placements):
        offered = [actions[name] for name in placement.actions]
        written = [(f"actions[{places[one.id]}].condition", one.condition) for one in offered]
        yield from _unanswerable(i, placement, vocabulary(placement, offered, hand_made), written)
        yield from _never_shown(i, placement, offered)
        yield from _unpriceable(i, placement, offered)
        yield from _default_without_consent(i, placement, actions[placement.default])


def _without_meaning(settings: "Settings") -> Iterator[str]:
    """Segments made by hand that ask for what is not known of a visitor."""
    known = visitor_vocabulary()
    for i, one in enumerate(settings.segments.hand_made):
        yield from _faults_of(f"segments.hand_made[{i}].when", one.when, known, "")


def _unanswerable(
    i: int, placement: "PlacementSettings", known: Vocabulary, written: list[tuple[str, str | None]]
) -> Iterator[str]:
    at = f" (at placement {placement.name!r})"
    for field, text in [(f"placements[{i}].condition", placement.condition), *written]:
        yield from _faults_of(field, text, known, at)


def _faults_of(field: str, text: str | None, known: Vocabulary, at: str) -> Iterator[str]:
    condition = condition_of(text)
    if condition is None:
        return
    try:
        check(condition, known)
    except ConditionError as error:
        yield f"{field} is {text!r:.80}: {error.text}: {error.rule}{at}"


def _never_shown(
    i: int, placement: "PlacementSettings", offered: list["ActionSettings"]
) -> Iterator[str]:
    if placement.price is None:
        return
    guards = placement.price.guards()
    for action in offered:
        if action.kind != "price" or action.price_cents is None:
            continue
        guard = guards.refuses(action.price_cents, action.cost_cents)
        if guard is None:
            continue
        cost = "unknown" if action.cost_cents is None else action.cost_cents
        shown = f"its price is {action.price_cents}, its cost {cost}"
        rule = f"action {action.id!r} could never be shown: {shown}"
        yield f"placements[{i}].price.{guard} is {getattr(guards, guard)!r}: {rule}"


def _unpriceable(
    i: int, placement: "PlacementSettings", offered: list["ActionSettings"]
) -> Iterator[str]:
    """A price range is that of one action, learned over every context feature."""
    if placement.price_range is None:
        return
    if [action.kind for action in offered] != ["price"]:
        rule = "a price_range draws the price of one action of kind 'price'"
        yield f"placements[{i}].actions is {list(placement.actions)!r:.80}: {rule}"
        return
    if placement.crosses:
        rule = "with a price_range every context feature meets the price anyway: leave them out"
        yield f"placements[{i}].crosses is {list(placement.crosses)!r:.80}: {rule}"
    for field, policy in (("policy", placement.policy), ("challenger", placement.challenger)):
        if policy is not None and policy.kind not in CHOOSERS:
            rule = f"cannot choose prices; use one of {', '.join(CHOOSERS)}"
            yield f"placements[{i}].{field}.kind is {policy.kind!r}: {rule}"
    prices, cost = placement.price_range.range(), offered[0].cost_cents
    if placement.price and not for_everybody(prices.all, placement.price.guards(), cost):
        shown = "unknown" if cost is None else cost
        rule = f"no price that placements[{i}].price lets through, at a cost of {shown}"
        yield f"placements[{i}].price_range.max_cents is {prices.max_cents}: {rule}"


def _default_without_consent(
    i: int, placement: "PlacementSettings", default: "ActionSettings"
) -> Iterator[str]:
    if default.channel is not None and default.channel not in NEEDS_NO_CONSENT:
        rule = (
            f"its channel {default.channel!r} needs consent, and the default is shown whatever the "
            "rules say: add an action that stands for showing nothing"
        )
        yield f"placements[{i}].default is {placement.default!r}: {rule}"
