"""This session against the visitor's own past ones: gap, pace, depth, price level, categories.

A session counts as one value of each measure, its mean: values of one session resemble each other
and would be taken for more evidence than they are. It is compared while it runs and joins the past
when it ends; per visitor and measure an `AdaptiveWindow` then notices lasting changes. Kept for the
visitors seen last; one who was let go starts without a past.

**Restart.** Load what was saved (`load_past`, `load_crowd`), then observe again every event after
`seq`, in order; what a visitor's past covers already is skipped.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from math import log, log2, sqrt
from typing import TYPE_CHECKING, Final

from segments.behaviour.past import MAX_CROWD, MEASURES, VERSION, Measure, Past, Touches
from segments.errors import ProfileError, SegmentsError
from segments.features.session import DEPTHS
from segments.sessions import GAP_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from segments.behaviour.adaptive_window import AdaptiveWindow
    from segments.event import Event

LEAST_DEVIATION: Final = 0.25
"""Of any measure: someone of perfect habits is not astonishing for a small change of them."""
LEAST_PAST: Final = 5
"""Past sessions below which one is compared with nothing."""
PRIOR_TOUCHES: Final = 5.0
"""Weight of the crowd's categories in what is expected of a visitor."""
RECENT_S: Final = 30 * 86_400.0
"""How long a change of habit is news."""


@dataclass(frozen=True, slots=True)
class SessionReading:
    """The running session, in deviations from the visitor's own past; 0 without one.

    Args:
        gap: above 0 for later than usual since the session before; without a running session, how
            overdue the next one is.
        pace: below 0 for faster than usual.
        depth: above 0 for nearer to an order than usual.
        price: above 0 for dearer products than usual.
        category_surprise: mean bits of surprise over the categories touched, given the visitor's
            past and the crowd's; 0 before any.
        n_events: of the session so far.
        changed: habits of which a lasting change was noticed in the last 30 days.
    """

    gap: float = 0.0
    pace: float = 0.0
    depth: float = 0.0
    price: float = 0.0
    category_surprise: float = 0.0
    n_events: int = 0
    changed: frozenset[Measure] = frozenset()


NOTHING: Final = SessionReading()


@dataclass(frozen=True, slots=True)
class BehaviourChange:
    """A visitor's habit has changed for good.

    Args:
        visitor: whose.
        measure: of what.
        before: mean before, in the measure's own scale.
        after: mean since.
        at: when the session ended that made it evident, Unix seconds.
    """

    visitor: str
    measure: Measure
    before: float
    after: float
    at: float


class SessionTracker:
    """Follows the sessions of the visitors seen last.

    Args:
        max_visitors: kept in memory, at least 1; the one not seen for longest is let go.

    Attributes:
        seq: sequence number of the last event observed; -1 before the first.

    Raises:
        SegmentsError: if `max_visitors` is less than 1.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.event import Event
        >>> at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> tracker = SessionTracker()
        >>> tracker.observe(Event("m1", "Page Viewed", "ann", at))
        ()
        >>> tracker.read("ann", at).n_events
        1
    """

    def __init__(self, max_visitors: int = 100_000) -> None:
        if max_visitors < 1:
            raise SegmentsError(f"max_visitors must be at least 1, got {max_visitors}")
        self._max_visitors = max_visitors
        self.clear()

    def clear(self) -> None:
        """Forgets everybody."""
        self.seq = -1
        self._pasts: OrderedDict[str, Past] = OrderedDict()
        self._crowd = Touches(MAX_CROWD)
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._pasts)

    def observe(
        self, event: Event, visitor: str | None = None, seq: int | None = None
    ) -> tuple[BehaviourChange, ...]:
        """Counts an event into its visitor's session; one that is hours late is passed over.

        Args:
            event: what happened.
            visitor: the id in use; None for the event's own.
            seq: its sequence number in the log, increasing; None to count on.

        Returns:
            Habits that turn out to have changed, now that the session before has ended.
        """
        visitor = event.visitor if visitor is None else visitor
        seq = self.seq + 1 if seq is None else seq
        is_new = seq > self.seq
        self.seq = max(self.seq, seq)
        past = self._pasts.get(visitor)
        changes: tuple[BehaviourChange, ...] = ()
        if past is None or past.seq < seq:  # else it was saved later than the crowd
            past = past or self._begin(visitor, event)
            self._pasts.move_to_end(visitor)
            self._changed[visitor] = None
            past.seq = seq
            changes = self._fold(event, visitor, past)
        if is_new:
            for category in _categories(event):
                self._crowd.add(category)
        return changes

    def read(self, visitor: str, now: datetime) -> SessionReading:
        """How the running session compares; of an unknown visitor, as with none."""
        return self.read_at(visitor, now.timestamp())

    def read_at(self, visitor: str, seconds: float) -> SessionReading:
        """The same at a Unix time."""
        past = self._pasts.get(visitor)
        if past is None:
            return NOTHING
        session = past.session
        recent = seconds - RECENT_S
        changed = frozenset(measure for measure, at in past.changed.items() if at >= recent)
        if seconds > session.end + GAP_S:
            overdue = _apart(past.windows["gap"], log(1.0 + seconds - session.end))
            return SessionReading(gap=max(overdue, 0.0), changed=changed)
        gap, pace, depth, price = (_apart(past.windows[m], session.mean(m)) for m in MEASURES)
        surprise = session.bits / session.n_touches if session.n_touches else 0.0
        return SessionReading(gap, pace, depth, price, surprise, session.n_events, changed)

    def merge(self, alias: str, visitor: str) -> None:
        """An id turned out to be another's: the past of the one with more sessions goes on."""
        past, known = self._pasts.pop(alias, None), self._pasts.get(visitor)
        self._changed.pop(alias, None)
        if past is None:
            return
        self._removed[alias] = None
        self._changed[visitor] = None
        if known is not None:
            if len(known.windows["depth"]) > len(past.windows["depth"]):
                past, known = known, past
            past.categories.merge(known.categories)
            past.seq = max(past.seq, known.seq)
        self._pasts[visitor] = past

    def forget(self, visitor: str) -> None:
        """Lets go of all that is kept of a visitor."""
        if self._pasts.pop(visitor, None) is not None:
            self._removed[visitor] = None
        self._changed.pop(visitor, None)

    def visitors(self) -> list[str]:
        """Whose sessions are followed, the one not seen for longest first."""
        return list(self._pasts)

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to save."""
        return bool(self._changed or self._removed)

    def take_changes(self, limit: int) -> list[tuple[str, int, bytes | None]]:
        """At most `limit` pasts to save, as (visitor, seq, data), or None as data to delete one."""
        taken: list[tuple[str, int, bytes | None]] = []
        for visitor in list(islice(self._changed, limit)):
            del self._changed[visitor]
            past = self._pasts[visitor]
            taken.append((visitor, past.seq, past.dump()))
        for visitor in list(islice(self._removed, limit - len(taken))):
            del self._removed[visitor]
            if visitor not in self._pasts:
                taken.append((visitor, -1, None))
        return taken

    def put_back(self, changes: Iterable[tuple[str, int, bytes | None]]) -> None:
        """Takes changes back that could not be saved."""
        for visitor, _, _ in changes:
            (self._changed if visitor in self._pasts else self._removed)[visitor] = None

    def load_past(self, visitor: str, data: bytes) -> None:
        """Takes a saved past back; the one seen last comes last.

        Raises:
            ProfileError: if it is damaged or of another version.
        """
        self._pasts[visitor] = Past.load(data)

    def crowd_state(self) -> bytes:
        """The crowd's categories and what they cover; only once nothing is left to save."""
        return json.dumps([VERSION, self.seq, self._crowd.state()]).encode()

    def load_crowd(self, data: bytes) -> None:
        """Takes the crowd's categories back.

        Raises:
            ProfileError: if they are damaged or of another version.
        """
        try:
            version, seq, crowd = json.loads(data)
            if version != VERSION:
                raise ProfileError(f"habits of version {version}, this is {VERSION}")
            self._crowd.load(crowd)
            self.seq = int(seq)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProfileError(f"damaged habits of the crowd ({error!r})") from error

    def _begin(self, visitor: str, event: Event) -> Past:
        past = self._pasts[visitor] = Past(event.timestamp.timestamp())
        if len(self._pasts) > self._max_visitors:
            self.forget(next(iter(self._pasts)))
        return past

    def _fold(self, event: Event, visitor: str, past: Past) -> tuple[BehaviourChange, ...]:
        seconds = event.timestamp.timestamp()
        changes: tuple[BehaviourChange, ...] = ()
        if seconds > past.session.end + GAP_S:
            changes = _end(visitor, past)
            past.start(seconds)
        elif seconds < past.session.end - GAP_S:
            return ()
        self._count(event, past, seconds)
        return changes

    def _count(self, event: Event, past: Past, seconds: float) -> None:
        session = past.session
        if session.n_events:
            session.add("pace", log(1.0 + abs(seconds - session.end)))
        session.add("depth", DEPTHS.get(event.name, 0.0))
        session.end = max(session.end, seconds)
        session.n_events += 1
        for line in event.products:
            if line.price_cents:
                session.add("price", log(1.0 + line.price_cents))
        for category in _categories(event):
            session.bits += self._surprise(past, category)
            session.n_touches += 1
            past.categories.add(category)

    def _surprise(self, past: Past, category: str) -> float:
        """Bits: -log2 of how probable the category was for this visitor."""
        crowd = (self._crowd[category] + 1.0) / (self._crowd.total + len(self._crowd) + 1.0)
        own = past.categories[category] + PRIOR_TOUCHES * crowd
        return -log2(own / (past.categories.total + PRIOR_TOUCHES))


def _categories(event: Event) -> dict[str, None]:
    """Of an event's products, each once, in order."""
    return dict.fromkeys(line.category for line in event.products if line.category)


def _end(visitor: str, past: Past) -> tuple[BehaviourChange, ...]:
    """Lets the session join the past."""
    changes = []
    for measure, window in past.windows.items():
        before, value = window.mean, past.session.mean(measure)
        if value is not None and window.update(value):
            past.changed[measure] = past.session.end
            changed = BehaviourChange(visitor, measure, before, window.mean, past.session.end)
            changes.append(changed)
    return tuple(changes)


def _apart(window: AdaptiveWindow, value: float | None) -> float:
    """A session's mean less that of the past ones, in deviations of such a difference."""
    n_past = len(window)
    if n_past < LEAST_PAST or value is None:
        return 0.0
    deviation = max(window.deviation, LEAST_DEVIATION)
    return (value - window.mean) / (deviation * sqrt(1.0 + 1.0 / n_past))
