"""Which segment each visitor is in, kept current by events and by the clock.

After the pipeline, beside `describe`: whoever observes events calls `touch`, whoever has a moment
calls `advance`, at the latest when `due_s` says so. A profile that stands still still changes
with time (recency grows), so the moment at which a visitor will leave their segment without
another event is computed beforehand, to the second, and put on a heap: nothing polls.

**Hysteresis.** A visitor changes segment only once the new one has been theirs for `settle_s`
without a break, so that someone on a border does not flap.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from segments.decay import DAY_S, LAST_S
from segments.errors import SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments.pipeline import Pipeline

    SegmentAt = Callable[[str, datetime], str | None]

FIRST_PROBE_S: Final = 3_600.0
HORIZON_S: Final = 800.0 * DAY_S
"""Days count no further than two years: after that nothing changes by itself."""
PRECISION_S: Final = 0.5
SLACK: Final = 1_000
ABSENCES: Final = ("recency_days", "unseen_days")
"""Features that count the days since something."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A visitor has changed segment.

    Args:
        visitor: who.
        source: from where; None for a visitor met for the first time.
        target: to where; None for out of all.
        at: when it took effect.
        cause: whether an event of the visitor brought it about, or time alone.
    """

    visitor: str
    source: str | None
    target: str | None
    at: datetime
    cause: Literal["event", "time"]


class _Member:
    """What is known of one visitor."""

    __slots__ = ("by_event", "due_s", "pending", "segment", "since_s")

    def __init__(self) -> None:
        self.segment: str | None = None
        self.pending: str | None = None
        self.since_s: float | None = None  # since when pending; None if nothing is
        self.due_s = 0.0
        self.by_event = True


class Membership:
    """The segment of each visitor, and its changes as they fall due.

    Args:
        segment_at: the segment of a visitor at a time, had they done nothing more until then,
            such as `by_segmentation` or `by_absence`.
        settle_s: seconds that a new segment has to last before it counts; at least 0.

    Raises:
        SegmentsError: if `settle_s` is negative.

    Example:
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> members = Membership(lambda visitor, at: "late" if at.hour >= 18 else "early")
        >>> members.touch("ann", noon)
        >>> [change.target for change in members.advance(noon)]
        ['early']
        >>> evening = datetime.fromtimestamp(members.due_s, UTC)
        >>> evening.hour, [change.target for change in members.advance(evening)]
        (18, ['late'])
    """

    def __init__(self, segment_at: SegmentAt, settle_s: float = 0.0) -> None:
        if settle_s < 0.0:
            raise SegmentsError(f"settle_s must be at least 0, got {settle_s}")
        self._segment_at = segment_at
        self._settle_s = settle_s
        self._members: dict[str, _Member] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._members)

    @property
    def due_s(self) -> float | None:
        """Unix time at which `advance` has something to do next, or None."""
        return self._heap[0][0] if self._heap else None

    def of(self, visitor: str) -> str | None:
        """The visitor's segment as of the last `advance`."""
        member = self._members.get(visitor)
        return member.segment if member else None

    def touch(self, visitor: str, at: datetime) -> None:
        """The visitor did something: look at them at the next `advance`. Takes a microsecond."""
        member = self._members.setdefault(visitor, _Member())
        member.by_event = True
        self._schedule(visitor, member, at.timestamp())

    def forget(self, visitor: str) -> None:
        """Lets go of a visitor, erased or merged into another."""
        self._members.pop(visitor, None)

    def advance(self, now: datetime) -> tuple[Transition, ...]:
        """Everything that fell due up to now, in the order in which it did."""
        found = []
        now_s = now.timestamp()
        while self._heap and self._heap[0][0] <= now_s:
            due_s, visitor = heapq.heappop(self._heap)
            member = self._members.get(visitor)
            if member is None or member.due_s != due_s:
                continue  # scheduled anew since
            change = self._look(visitor, member, due_s)
            if change is not None:
                found.append(change)
        return tuple(found)

    def _look(self, visitor: str, member: _Member, at_s: float) -> Transition | None:
        segment = self._at(visitor, at_s)
        if segment != member.segment and (member.since_s is None or segment != member.pending):
            member.pending, member.since_s = segment, at_s
        elif segment == member.segment:
            member.pending = member.since_s = None
        change = None
        known = member.segment is not None
        settled = member.since_s is not None and (
            not known or at_s - member.since_s >= self._settle_s
        )
        if settled:
            at = datetime.fromtimestamp(at_s, UTC)
            cause: Literal["event", "time"] = "event" if member.by_event else "time"
            change = Transition(visitor, member.segment, segment, at, cause)
            member.segment, member.pending, member.since_s = segment, None, None
        if member.since_s is None:
            member.by_event = False
        self._plan(visitor, member, segment, at_s)
        return change

    def _plan(self, visitor: str, member: _Member, segment: str | None, at_s: float) -> None:
        """Schedules the next look: when what is pending has settled, or time changes something."""
        moment = self._next_change(visitor, segment, at_s)
        if member.since_s is not None:
            settled = member.since_s + self._settle_s
            moment = settled if moment is None else min(moment, settled)
        if moment is None:
            member.due_s = 0.0
        else:
            self._schedule(visitor, member, moment)

    def _next_change(self, visitor: str, segment: str | None, at_s: float) -> float | None:
        """When time alone changes the segment: probed at doubling distances, then halved down.

        One that comes and goes between two probes is passed over.
        """
        low, step = at_s, FIRST_PROBE_S
        end = min(at_s + HORIZON_S, LAST_S - 1.0)
        while low < end:
            high = min(low + step, end)
            if self._at(visitor, high) != segment:
                while high - low > PRECISION_S:
                    middle = (low + high) / 2.0
                    if self._at(visitor, middle) == segment:
                        low = middle
                    else:
                        high = middle
                return high
            low, step = high, 2.0 * step
        return None

    def _schedule(self, visitor: str, member: _Member, at_s: float) -> None:
        member.due_s = at_s
        heapq.heappush(self._heap, (at_s, visitor))
        if len(self._heap) > 2 * len(self._members) + SLACK:  # mostly of looks put off since
            due = {visitor: member.due_s for visitor, member in self._members.items()}
            self._heap = [entry for entry in self._heap if due.get(entry[1]) == entry[0]]
            heapq.heapify(self._heap)

    def _at(self, visitor: str, seconds: float) -> str | None:
        return self._segment_at(visitor, datetime.fromtimestamp(seconds, UTC))


def by_segmentation(pipeline: Pipeline) -> SegmentAt:
    """The segment that the pipeline's segmentation puts a visitor in."""
    return lambda visitor, at: pipeline.describe(visitor, at).segment


def by_absence(pipeline: Pipeline, feature: str, days: float, name: str) -> SegmentAt:
    """A segment of those for whom something is so many days ago: "no visit in 30 days".

    Args:
        pipeline: whose visitors.
        feature: "unseen_days" for any event, "recency_days" for a purchase.
        days: above 0, below the 730 at which days are cut off.
        name: of the segment.

    Raises:
        SegmentsError: if the feature counts no days, or the days are out of range.
    """
    if feature not in ABSENCES:
        raise SegmentsError(f"feature must be one of {', '.join(ABSENCES)}, got {feature!r}")
    if not 0.0 < days < 730.0:
        raise SegmentsError(f"days must be above 0 and below 730, got {days}")
    position = pipeline.feature_names.index(feature)

    def segment_at(visitor: str, at: datetime) -> str | None:
        away = pipeline.look(visitor, at).natural(position)
        return name if away >= days - 1e-9 else f"not {name}"

    return segment_at
