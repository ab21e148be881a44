"""Observe: events into the log, from there into profiles and open decisions' rewards.

An event counts when it is in the log; profiles are folded from the log's order, after the commit.
"""

from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import ValidationError

from api.ingest.conversion import EVENT_JSON, ORDER, to_conversion
from api.loop.clock import Clock, to_us
from api.loop.members import Members
from api.loop.supply import Supply
from api.settings import EventSettings
from api.storage.base import (
    Appended,
    Credit,
    DeadLetterRow,
    Effect,
    EventRow,
    Redemption,
    Reversal,
    Showing,
    Specs,
    Store,
)
from api.storage.keyed import Keyed
from policy.reward.spec import REVERSALS, SHOWN
from segments.event import Event, EventError
from segments.identity import claimed_alias
from segments.pipeline import Pipeline

log = structlog.get_logger()

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far from now an event's time may lie; None where the clock is replayed."""

    max_age_us: int
    max_ahead_us: int

    @classmethod
    def of(cls, settings: EventSettings, clock: Clock) -> "TimeBounds | None":
        """The configured bounds."""
        if clock.trusts_requests:
            return None
        return cls(settings.max_age_days * DAY_US, settings.max_ahead_minutes * MINUTE_US)


class Observer:
    """Takes events in.

    Args:
        pipeline: What they are folded into.
        store: Where they become durable.
        clock: What time it is.
        rewards: Reward definition of each placement.
        bounds: How far an event's time may lie from now.
        notify: Called when events earned rewards.
        supply: What orders use of budgets and inventories, where there are any.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        clock: Clock,
        rewards: Specs,
        bounds: TimeBounds | None,
        notify: Callable[[], None] = lambda: None,
        supply: Supply | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._clock = clock
        self._bounds = bounds
        self._notify = notify
        self._supply = supply
        self._matches = {placement: spec.match for placement, spec in rewards.items()}
        self._claims: dict[str, Counter[str]] = {}
        self._members: Members | None = None
        self._followed_after = -1
        names = {name for spec in rewards.values() for name in spec.counted}
        self._specs: dict[str, Specs] = {
            name: {placement: spec for placement, spec in rewards.items() if name in spec.counted}
            for name in names
        }
        self._awaiting: Specs = {
            placement: spec for placement, spec in rewards.items() if spec.activation == SHOWN
        }

    def check_time(self, event: Event) -> None:
        """Refuse an event from another year.

        Raises:
            EventError: Its time is further from now than the settings allow.
        """
        if self._bounds is None:
            return
        age_us = self._clock.wall_us() - to_us(event.timestamp)
        if age_us > self._bounds.max_age_us:
            days = self._bounds.max_age_us // DAY_US
            rule = f"is older than {days} days (events.max_age_days)"
            raise EventError("timestamp", event.timestamp.isoformat(), rule)
        if -age_us > self._bounds.max_ahead_us:
            minutes = self._bounds.max_ahead_us // MINUTE_US
            rule = f"is more than {minutes} minutes ahead of now (events.max_ahead_minutes)"
            raise EventError("timestamp", event.timestamp.isoformat(), rule)

    def observe(
        self,
        events: Sequence[Event],
        letters: Sequence[DeadLetterRow] = (),
        keyed: Keyed[Appended] | None = None,
    ) -> Future[Appended]:
        """Append events to the log and fold them into profiles.

        Args:
            events: Checked events, in the order in which they arrived.
            letters: What was refused beside them.
            keyed: The request that they came in, where it has a key.

        Returns:
            A future that is done when they are durable and profiles are current.
        """
        for event in events:
            self._clock.advance(to_us(event.timestamp))
        received_at_us = self._clock.now_us()
        claims = [(event.visitor, alias) for event in events if (alias := claimed_alias(event))]
        for visitor, alias in claims:
            self._claims.setdefault(visitor, Counter())[alias] += 1
        rows = [_row(event, received_at_us) for event in events]
        effects = [self._effects(event) for event in events]

        def fold(appended: Appended) -> None:
            for event, seq in zip(events, appended.seqs, strict=True):
                if seq is not None:
                    self.fold(event, seq)
            if appended.n_rewards:
                self._notify()
            if appended.settlements and self._supply is not None:
                self._supply.settled(appended.settlements)

        future = self._store.append_events(rows, effects, fold, letters, keyed)
        future.add_done_callback(lambda _: self._settle(claims))
        return future

    def follow(self, members: Members, after: int) -> None:
        """From now on, memberships hear of what is folded, from a place in the log on."""
        self._members, self._followed_after = members, after

    def fold(self, event: Event, seq: int, at: datetime | None = None) -> None:
        """Fold one event of the log into its profile; a fault is logged and costs one event.

        Args:
            event: What happened.
            seq: Its place in the log.
            at: When it came in; None for now.
        """
        try:
            self._fold(event, seq, at)
        except Exception:
            log.exception("event_not_folded", seq=seq, event_name=event.name)

    def _fold(self, event: Event, seq: int, at: datetime | None) -> None:
        members = self._members
        if members is None or seq <= self._followed_after:
            self._pipeline.observe(event, seq)
            return
        at = at or self._clock.now()
        members.before(self._pipeline.resolve(event.visitor), at)
        members.after(self._pipeline.observe(event, seq), at)
        alias = claimed_alias(event)
        if alias is not None:
            members.after(alias, at)  # whose profile may have gone into the visitor's

    def _effects(self, event: Event) -> list[Effect | Redemption]:
        """What an event means for rewards: of the same event, shown comes before earned."""
        effects: list[Effect | Redemption] = []
        if event.decision_id and self._awaiting:
            effects.append(Showing(event.decision_id, self._awaiting))
        specs = self._specs.get(event.name)
        if specs is not None:
            effects.append(self._credit(event, specs))
        if event.name in REVERSALS and event.order_id and ORDER in self._specs:
            effects.append(Reversal(event.order_id, self._specs[ORDER]))
        if event.name == ORDER and self._supply is not None:
            effects += self._redemption(event, self._supply)
        return effects

    def _credit(self, event: Event, specs: Specs) -> Credit:
        order_id = event.order_id if event.name == ORDER else None
        return Credit(self._ids_of(event), to_conversion(event), specs, _key(event), order_id)

    def _redemption(self, event: Event, supply: Supply) -> list[Redemption]:
        actions = supply.redeemable(event)
        if not actions:
            return []
        ids, conversion = self._ids_of(event), to_conversion(event)
        return [Redemption(ids, conversion, _key(event), actions, self._matches)]

    def _ids_of(self, event: Event) -> tuple[str, ...]:
        """Every id under which decisions for the visitor of an event may stand."""
        ids = {event.visitor, *self._pipeline.ids_of(event.visitor)}
        if event.anonymous_id is not None:
            ids.add(event.anonymous_id)
        # Links that are on their way into the log are not in the pipeline yet.
        for visitor in tuple(ids):
            for alias in self._claims.get(visitor, ()):
                ids.update(self._pipeline.ids_of(alias), (alias,))
        return tuple(sorted(ids))

    def _settle(self, claims: Sequence[tuple[str, str]]) -> None:
        for visitor, alias in claims:
            aliases = self._claims[visitor]
            aliases[alias] -= 1
            if not aliases[alias]:
                del aliases[alias]
            if not aliases:
                del self._claims[visitor]


def replay(store: Store, observer: Observer, after: int, *, chunk: int = 5000) -> int:
    """Fold the tail of the log again, as at a start.

    Args:
        store: The log.
        observer: What folds.
        after: Place in the log from which on it is folded.
        chunk: Events read at once.

    Returns:
        The number of events folded.
    """
    n_events = 0
    while rows := store.events_after(after, chunk):
        for seq, body in rows:
            try:
                event = EVENT_JSON.validate_json(body)
            except ValidationError as error:
                fields = [item["loc"] for item in error.errors(include_input=False)]
                log.error("event_not_readable", seq=seq, fields=fields)
                continue
            observer.fold(event, seq, event.timestamp)
        after = rows[-1][0]
        n_events += len(rows)
    return n_events


def _key(event: Event) -> str:
    """One order may be reported under two message ids, by the page and by a webhook."""
    order_id = event.order_id if event.name == ORDER else None
    return f"order:{order_id}" if order_id else f"message:{event.message_id}"


def _row(event: Event, received_at_us: int) -> EventRow:
    return EventRow(
        message_id=event.message_id,
        visitor=event.visitor,
        name=event.name,
        timestamp_us=to_us(event.timestamp),
        received_at_us=received_at_us,
        body=EVENT_JSON.dump_json(event, exclude_defaults=True).decode(),
        order_id=event.order_id if event.name == ORDER or event.name in REVERSALS else None,
    )
