"""The rules of a placement: from the configuration to a screen for any set of candidates.

Made once at start. Rules hold by action id, so a request that brings an action of the catalog along
brings its rules with it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policy.catalog.condition.program import ACTION, Program
from policy.catalog.condition.tree import Condition, Field, fields_of
from policy.catalog.condition.vocabulary import FieldType
from policy.catalog.consent import Consent
from policy.catalog.eligibility import Question, Screen
from policy.catalog.history import price_key
from policy.catalog.limit import Tracked
from policy.catalog.price import Price, PriceGuards
from policy.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policy.catalog.action import Action
    from policy.catalog.condition.program import Test
    from policy.catalog.condition.vocabulary import Vocabulary
    from policy.catalog.eligibility import Positions
    from policy.catalog.limit import Scope

_TEXT, _NUMBER = FieldType("text"), FieldType("number")

ACTION_FIELDS: dict[str, tuple[FieldType, Callable[[Action], Any]]] = {
    "id": (_TEXT, lambda action: action.id),
    "kind": (_TEXT, lambda action: action.kind),
    "category": (_TEXT, lambda action: action.category),
    "brand": (_TEXT, lambda action: action.brand),
    "channel": (_TEXT, lambda action: action.channel),
    "price_cents": (_NUMBER, lambda action: action.price_cents),
    "cost_cents": (_NUMBER, lambda action: action.cost_cents),
    "price_of": (_TEXT, lambda action: action.price_of),
}
"""What conditions may ask of a candidate, beside its features; those have no other's name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one action, but for its limits.

    Args:
        condition: Has to hold.
        starts_us: First moment at which it may be shown, in microseconds since 1970.
        ends_us: First moment at which it may no longer.

    Raises:
        CatalogError: It ends before it starts.
    """

    condition: Condition | None = None
    starts_us: int | None = None
    ends_us: int | None = None

    def __post_init__(self) -> None:
        if self.starts_us is None or self.ends_us is None:
            return
        if self.ends_us <= self.starts_us:
            raise CatalogError(f"ends_us is {self.ends_us}: must be after starts_us")


NO_RULES = Rules()


class Rulebook:
    """All rules of one placement.

    Args:
        placement: Its name.
        vocabulary: The fields that conditions may ask about.
        rules: Of the actions that have any, by id.
        condition: Has to hold for every candidate.
        consent: Through which channels visitors may be addressed.
        guards: Of prices.
        tracked: The limits, over all placements.

    Attributes:
        fields: What the conditions ask of visitor and moment, in the order of ``Situation.facts``.

    Raises:
        ConditionError: A condition asks what cannot be answered.

    Example:
        >>> from policy.catalog.action import Action
        >>> from policy.catalog.condition.parser import parse
        >>> from policy.catalog.eligibility import Situation
        >>> from policy.catalog.history import History
        >>> orders = Field("profile", "orders")
        >>> rules = {"tea": Rules(parse("profile.orders >= 3"))}
        >>> rulebook = Rulebook("home", {orders: FieldType("number")}, rules)
        >>> screen = rulebook.screen([Action("salt", "offer"), Action("tea", "offer")])
        >>> screen.refused(Situation(0, [2.0], {}.get, History()))
        {1: 'ineligible'}
    """

    def __init__(
        self,
        placement: str,
        vocabulary: Vocabulary,
        rules: Mapping[str, Rules],
        *,
        condition: Condition | None = None,
        consent: Consent | None = None,
        guards: PriceGuards | None = None,
        tracked: Tracked | None = None,
    ) -> None:
        self._placement = placement
        self._rules = rules
        self._consent = consent or Consent()
        self._guards = guards
        self._tracked = tracked or Tracked({}, {})
        everywhere = () if condition is None else (condition,)
        own = {name: one.condition for name, one in rules.items() if one.condition is not None}
        program = Program(vocabulary, (*everywhere, *own.values()))
        self.fields = program.fields
        self._everywhere = tuple(_Asked.of(one, program) for one in everywhere)
        self._asked = {
            name: (*self._everywhere, _Asked.of(one, program)) for name, one in own.items()
        }

    def screen(self, actions: Sequence[Action]) -> Screen | None:
        """The rules of these candidates; None where nothing can ever refuse one."""
        refused_prices, prices = self._priced(actions)
        screen = Screen(
            ids=tuple(action.id for action in actions),
            questions=self._questions(actions),
            schedules=tuple(self._schedules(actions)),
            channels=_grouped(
                (action.channel, i) for i, action in enumerate(actions) if action.channel
            ),
            scopes=_grouped(self._scopes(actions)),
            refused_prices=refused_prices,
            prices=prices,
            consent=self._consent,
            tracked=self._tracked,
            guards=self._guards,
        )
        rules = (screen.questions, screen.schedules, screen.channels, screen.scopes)
        return screen if any(rules) or refused_prices or prices else None

    def _questions(self, actions: Sequence[Action]) -> tuple[Question, ...]:
        """Candidates of one condition, and of equal answers to what it asks of them, together."""
        positions: dict[tuple[Test, tuple[Any, ...]], list[int]] = defaultdict(list)
        for position, action in enumerate(actions if self._asked or self._everywhere else ()):
            for asked in self._asked.get(action.id, self._everywhere):
                positions[asked.test, asked.of_candidate(action)].append(position)
        return tuple(
            Question(test, own, tuple(theirs)) for (test, own), theirs in positions.items()
        )

    def _schedules(self, actions: Sequence[Action]) -> Iterable[tuple[int, float, float]]:
        for position, action in enumerate(actions if self._rules else ()):
            rules = self._rules.get(action.id, NO_RULES)
            if rules.starts_us is not None or rules.ends_us is not None:
                starts_us = -math.inf if rules.starts_us is None else rules.starts_us
                yield position, starts_us, math.inf if rules.ends_us is None else rules.ends_us

    def _scopes(self, actions: Sequence[Action]) -> Iterable[tuple[int, int]]:
        index = self._tracked.index
        for position, action in enumerate(actions if index else ()):
            for scope in _scopes_of(action):
                if scope in index:
                    yield index[scope], position

    def _priced(self, actions: Sequence[Action]) -> tuple[Positions, tuple[Price, ...]]:
        """Candidates whose price the guards refuse, and, where it is remembered, the others'."""
        refused: list[int] = []
        prices: list[Price] = []
        guards = self._guards
        if guards is None:
            return (), ()
        for position, action in enumerate(actions):
            cents = action.price_cents
            if action.kind != "price" or cents is None:
                continue
            if guards.refuses(cents, action.cost_cents) is not None:
                refused.append(position)
            elif guards.remembers:
                key = price_key(self._placement, action.price_of)
                prices.append(Price(position, key, cents))
        return tuple(refused), tuple(prices)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A condition with what it asks of a candidate: a reader, or None, for each action field."""

    test: Test
    readers: tuple[Callable[[Action], Any] | None, ...]

    @classmethod
    def of(cls, condition: Condition, program: Program) -> _Asked:
        asked = {field for field in fields_of(condition) if field.root == ACTION}
        readers = tuple(
            _reader(field) if field in asked else None for field in program.action_fields
        )
        return cls(program.test(condition), readers if asked else ())

    def of_candidate(self, action: Action) -> tuple[Any, ...]:
        return tuple(None if read is None else read(action) for read in self.readers)


def action_vocabulary(features: Iterable[str]) -> dict[Field, FieldType]:
    """The fields of candidates: what every action has, and the features that some have."""
    fields = {Field(ACTION, name): _NUMBER for name in sorted(set(features))}
    return fields | {Field(ACTION, name): kind for name, (kind, _) in ACTION_FIELDS.items()}


def _reader(field: Field) -> Callable[[Action], Any]:
    name = field.name or ""
    if name in ACTION_FIELDS:
        return ACTION_FIELDS[name][1]
    return lambda action: dict(action.features).get(name)


def _scopes_of(action: Action) -> tuple[Scope, ...]:
    scopes: tuple[Scope, ...] = (("action", action.id), ("kind", action.kind))
    return scopes if action.channel is None else (*scopes, ("channel", action.channel))


def _grouped(pairs: Iterable[tuple[Any, int]]) -> dict[Any, Positions]:
    groups: dict[Any, list[int]] = defaultdict(list)
    for key, position in pairs:
        groups[key].append(position)
    return {key: tuple(positions) for key, positions in groups.items()}
