"""This session against the visitor's own past ones: pace, depth, price level, categories.

A session counts as one value of each measure, its mean: values of one session resemble each other
and would be taken for more evidence than they are. It is compared while it runs and joins the past
when it ends; per visitor and measure an `AdaptiveWindow` then notices lasting changes. Kept in
memory for the visitors seen last; one who was let go starts without a past.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import log, log2, sqrt
from typing import TYPE_CHECKING, Final, Literal, get_args

from segments.behaviour.adaptive_window import AdaptiveWindow
from segments.errors import SegmentsError
from segments.features.session import DEPTHS
from segments.sessions import GAP_S

if TYPE_CHECKING:
    from datetime import datetime

    from segments.event import Event

Measure = Literal["pace", "depth", "price"]
"""Log seconds between events, step towards an order (0 to 4), log cents of products touched."""
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)

SESSIONS_PER_LOOK: Final = 4
"""Sessions between two looks for a change: most visitors do not come often."""
LEAST_DEVIATION: Final = 0.25
"""Of any measure: someone of perfect habits is not astonishing for a small change of them."""
LEAST_PAST: Final = 5
"""Past sessions below which one is compared with nothing."""
PRIOR_TOUCHES: Final = 5.0
"""Weight of the crowd's categories in what is expected of a visitor."""
MAX_OWN, MAX_CROWD = 200, 4_096
"""Categories counted apart, of a visitor and of everyone; further ones stay new for ever."""


@dataclass(frozen=True, slots=True)
class SessionReading:
    """The running session, in deviations from the visitor's own past; 0 without one.

    Args:
        pace: below 0 for faster than usual.
        depth: above 0 for nearer to an order than usual.
        price: above 0 for dearer products than usual.
        category_surprise: mean bits of surprise over the categories touched, given the visitor's
            past and the crowd's; 0 before any.
        n_events: of the session so far.
    """

    pace: float
    depth: float
    price: float
    category_surprise: float
    n_events: int


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


class _Touches:
    """How often each category was touched."""

    __slots__ = ("_counts", "_limit", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}
        self.total = 0

    def __getitem__(self, category: str) -> int:
        return self._counts.get(category, 0)

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, category: str) -> None:
        known = self._counts.get(category, 0)
        if known or len(self._counts) < self._limit:
            self._counts[category] = known + 1
        self.total += 1


class _Session:
    """What the running session has brought."""

    __slots__ = ("bits", "end", "n_events", "n_touches", "sums")

    def __init__(self, start: float) -> None:
        self.end = start
        self.n_events = 0
        self.sums: dict[Measure, tuple[int, float]] = dict.fromkeys(MEASURES, (0, 0.0))
        self.bits = 0.0
        self.n_touches = 0

    def add(self, measure: Measure, value: float) -> None:
        n, total = self.sums[measure]
        self.sums[measure] = n + 1, total + value

    def mean(self, measure: Measure) -> float | None:
        n, total = self.sums[measure]
        return total / n if n else None


class _Past:
    """A visitor's sessions that have ended, and the one that runs."""

    __slots__ = ("categories", "session", "windows")

    def __init__(self, start: float) -> None:
        self.windows = {measure: AdaptiveWindow(SESSIONS_PER_LOOK) for measure in MEASURES}
        self.categories = _Touches(MAX_OWN)
        self.session = _Session(start)


class SessionTracker:
    """Follows the sessions of the visitors seen last.

    Args:
        max_visitors: kept in memory, at least 1; the one not seen for longest is let go.

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
        self._pasts: OrderedDict[str, _Past] = OrderedDict()
        self._crowd = _Touches(MAX_CROWD)

    def __len__(self) -> int:
        return len(self._pasts)

    def observe(self, event: Event) -> tuple[BehaviourChange, ...]:
        """Counts an event into its visitor's session; one that is hours late is passed over.

        Returns:
            Habits that turn out to have changed, now that the session before has ended.
        """
        seconds = event.timestamp.timestamp()
        past = self._pasts.get(event.visitor)
        if past is None:
            past = self._pasts[event.visitor] = _Past(seconds)
            if len(self._pasts) > self._max_visitors:
                self._pasts.popitem(last=False)
        self._pasts.move_to_end(event.visitor)
        changes: tuple[BehaviourChange, ...] = ()
        if seconds > past.session.end + GAP_S:
            changes = _end(event.visitor, past)
            past.session = _Session(seconds)
        elif seconds < past.session.end - GAP_S:
            return ()
        self._count(event, past, seconds)
        return changes

    def read(self, visitor: str, now: datetime) -> SessionReading:
        """How the running session compares; of an unknown visitor or an ended one, as with none."""
        past = self._pasts.get(visitor)
        if past is None or now.timestamp() > past.session.end + GAP_S:
            return SessionReading(0.0, 0.0, 0.0, 0.0, 0)
        session = past.session
        pace, depth, price = (_apart(past.windows[m], session.mean(m)) for m in MEASURES)
        surprise = session.bits / session.n_touches if session.n_touches else 0.0
        return SessionReading(pace, depth, price, surprise, session.n_events)

    def forget(self, visitor: str) -> None:
        """Lets go of all that is kept of a visitor."""
        self._pasts.pop(visitor, None)

    def _count(self, event: Event, past: _Past, seconds: float) -> None:
        session = past.session
        if session.n_events:
            session.add("pace", log(1.0 + abs(seconds - session.end)))
        session.add("depth", DEPTHS.get(event.name, 0.0))
        session.end = max(session.end, seconds)
        session.n_events += 1
        for line in event.products:
            if line.price_cents:
                session.add("price", log(1.0 + line.price_cents))
        for category in dict.fromkeys(line.category for line in event.products if line.category):
            session.bits += self._surprise(past, category)
            session.n_touches += 1
            past.categories.add(category)
            self._crowd.add(category)

    def _surprise(self, past: _Past, category: str) -> float:
        """Bits: -log2 of how probable the category was for this visitor."""
        crowd = (self._crowd[category] + 1.0) / (self._crowd.total + len(self._crowd) + 1.0)
        own = past.categories[category] + PRIOR_TOUCHES * crowd
        return -log2(own / (past.categories.total + PRIOR_TOUCHES))


def _end(visitor: str, past: _Past) -> tuple[BehaviourChange, ...]:
    """Lets the session join the past."""
    changes = []
    for measure, window in past.windows.items():
        before, value = window.mean, past.session.mean(measure)
        if value is not None and window.update(value):
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
