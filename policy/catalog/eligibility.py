"""Eligibility: which candidates of one decision may be shown, and why the others may not.

In front of the policy: what is refused here is absent from the distribution, so its probability is
exactly 0 and the probabilities of the others need no correction. ``rulebook`` builds the screens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from policy.catalog.condition.program import Test
    from policy.catalog.consent import Consent
    from policy.catalog.history import History
    from policy.catalog.limit import Tracked
    from policy.catalog.price import Price, PriceGuards

Reason = Literal[
    "eligible",
    "excluded",  # by the request
    "off_schedule",  # not yet, or no longer
    "ineligible",  # its condition does not hold
    "no_consent",  # to its channel
    "capped",  # as often as it may be shown
    "cooling_down",  # too soon after the last time
    "out_of_budget",
    "out_of_stock",
    "guarded",  # by the bounds, margin, step or stickiness of prices
    "held_out",  # eligible, but the visitor is in the control group
]

Positions = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known at one decision.

    Args:
        now_us: Microseconds since 1970.
        facts: Values of ``Rulebook.fields``.
        said: What the visitor last said of a consent purpose.
        history: What the visitor was shown.
        excluded: Action ids that the request does not want.
        held_back: Action ids that a budget or an inventory holds back now, with the reason.
    """

    now_us: int
    facts: Sequence[Any]
    said: Callable[[str], bool | None]
    history: History
    excluded: Collection[str] = ()
    held_back: Mapping[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """One condition, asked once a decision for all candidates that it is the same for.

    Args:
        test: The compiled condition.
        own: Values of the candidates' own fields that it asks for.
        positions: Whose condition it is.
    """

    test: Test
    own: tuple[Any, ...]
    positions: Positions


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """The rules of some candidates, ready to be asked at each decision.

    Of several reasons a candidate gets the first one in the order of ``Reason``.

    Args:
        ids: The candidates.
        questions: Their conditions.
        schedules: Position, start and end (microseconds since 1970) of those that have a schedule.
        channels: Who needs which consent.
        scopes: Whom a limit of which scope holds back, by the scope's number.
        refused_prices: Whom the price guards refuse whatever the visitor saw.
        prices: The other prices.
        consent: The rules of consent.
        tracked: The limits.
        guards: The price guards, where there are any.
    """

    ids: tuple[str, ...]
    questions: tuple[Question, ...]
    schedules: tuple[tuple[int, float, float], ...]
    channels: Mapping[str, Positions]
    scopes: Mapping[int, Positions]
    refused_prices: Positions
    prices: tuple[Price, ...]
    consent: Consent
    tracked: Tracked
    guards: PriceGuards | None

    @property
    def asks_history(self) -> bool:
        """Whether it matters what the visitor was shown."""
        return bool(self.scopes or self.prices)

    def refused(self, situation: Situation) -> dict[int, Reason]:
        """The candidates that may not be shown now.

        Args:
            situation: What is known at this decision.

        Returns:
            The reason by position.
        """
        refused: dict[int, Reason] = {}
        checks = chain(
            self._excluded(situation.excluded),
            self._off_schedule(situation.now_us),
            self._ineligible(situation.facts),
            self._without_consent(situation.said),
            self._limited(situation),
            self._held_back(situation.held_back),
        )
        for positions, reason in checks:
            for position in positions:
                refused.setdefault(position, reason)
        for position in self.refused_prices:
            refused.setdefault(position, "guarded")
        return refused | self._guarded(situation, refused)

    def _excluded(self, excluded: Collection[str]) -> Iterator[tuple[Positions, Reason]]:
        if excluded:
            yield tuple(i for i, name in enumerate(self.ids) if name in excluded), "excluded"

    def _off_schedule(self, now_us: int) -> Iterator[tuple[Positions, Reason]]:
        for position, starts_us, ends_us in self.schedules:
            if not starts_us <= now_us < ends_us:
                yield (position,), "off_schedule"

    def _ineligible(self, facts: Sequence[Any]) -> Iterator[tuple[Positions, Reason]]:
        for question in self.questions:
            values = [*facts, *question.own] if question.own else facts
            if not question.test(values):
                yield question.positions, "ineligible"

    def _without_consent(
        self, said: Callable[[str], bool | None]
    ) -> Iterator[tuple[Positions, Reason]]:
        for channel, positions in self.channels.items():
            if not self.consent.permits(channel, said):
                yield positions, "no_consent"

    def _limited(self, situation: Situation) -> Iterator[tuple[Positions, Reason]]:
        if not self.scopes or not situation.history.times_us:
            return
        verdicts = situation.history.verdicts(self.tracked, situation.now_us)
        for number, verdict in sorted(verdicts.items(), key=lambda item: item[1]):
            yield self.scopes.get(number, ()), verdict

    def _held_back(self, held_back: Mapping[str, Reason]) -> Iterator[tuple[Positions, Reason]]:
        if held_back:
            for position, name in enumerate(self.ids):
                if name in held_back:
                    yield (position,), held_back[name]

    def _guarded(self, situation: Situation, refused: Mapping[int, Reason]) -> dict[int, Reason]:
        """Last of all: a visitor keeps a price only where everything else allows it."""
        if self.guards is None or not self.prices:
            return {}
        left = [price for price in self.prices if price.position not in refused]
        out = self.guards.guarded(left, situation.history.prices, situation.now_us)
        return dict.fromkeys(out, "guarded")
