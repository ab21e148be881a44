"""Which segment each visitor is in, kept current by events and by the clock.

After the pipeline, beside `describe`: whoever observes events calls `touch`, whoever has a moment
calls `advance`, at the latest when `due_s` says so. A profile that stands still still changes
with time (recency grows), so the moment at which a visitor will leave their segment without
another event is computed beforehand, to the second, and put on a heap: nothing polls.

**Reach.** To look ahead to the end costs forty readings of a profile, which is right for one
visitor who is explained, and too much after each event of a shop. With `reach_s` a look goes only
so far ahead: one reading more. A visitor who stays away is looked at again there, and then twice as
far ahead each time.

**Hysteresis.** A visitor who has changed segment stays in the new one for at least `settle_s`, so
that someone on a border does not flap; until then a change is put off, not lost. Another model is
no flapping: it moves visitors at once.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Final, Literal

from segments.decay import DAY_S, LAST_S
from segments.errors import SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments.pipeline import Pipeline

    SegmentAt = Callable[[str, datetime], str | None]

Cause = Literal["event", "time", "refit"]
FIRST_PROBE_S: Final = 3_600.0
HORIZON_S: Final = 800.0 * DAY_S
"""Days count no further than two years: after that nothing changes by itself."""
LONGEST_REACH_S: Final = 32.0 * DAY_S
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
        target: to where; None for out of all: merged into another, or gone.
        at: when it took effect.
        cause: what brought it about: an event of the visitor, time alone, or another model.
    """

    visitor: str
    source: str | None
    target: str | None
    at: datetime
    cause: Cause


class _Member:
    """What is known of one visitor."""

    __slots__ = ("cause", "changed_s", "due_s", "free_s", "reach_s", "segment")

    def __init__(self, reach_s: float) -> None:
        self.segment: str | None = None
        self.changed_s = -inf
        self.free_s = -inf  # from when on they may change again
        self.due_s = 0.0
        self.reach_s = reach_s
        self.cause: Cause = "event"


class Membership:
    """The segment of each visitor, and its changes as they fall due.

    Args:
        segment_at: the segment of a visitor at a time, had they done nothing more until then,
            such as `by_segmentation` or `by_absence`; None for one in no segment, who is let go.
        settle_s: seconds that a visitor stays in a segment at least; at least 0.
        reach_s: seconds that a look after an event goes ahead, above 0; None for all.

    Raises:
        SegmentsError: if `settle_s` is negative, or `reach_s` not positive.

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

    def __init__(
        self, segment_at: SegmentAt, settle_s: float = 0.0, reach_s: float | None = None
    ) -> None:
        if settle_s < 0.0:
            raise SegmentsError(f"settle_s must be at least 0, got {settle_s}")
        if reach_s is not None and reach_s <= 0.0:
            raise SegmentsError(f"reach_s must be above 0, got {reach_s}")
        self._segment_at = segment_at
        self._settle_s = settle_s
        self._reach_s = reach_s
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

    def since(self, visitor: str) -> datetime | None:
        """When they came into it; None for one who is in none."""
        member = self._members.get(visitor)
        if member is None or member.changed_s == -inf:
            return None
        return datetime.fromtimestamp(member.changed_s, UTC)

    def touch(self, visitor: str, at: datetime, cause: Cause = "event") -> None:
        """The visitor did something: look at them at the next `advance`. Takes a microsecond.

        Args:
            visitor: who.
            at: when.
            cause: "refit" where it is the model that changed, "time" for a look for no reason.
        """
        member = self._members.get(visitor)
        if member is None:
            member = self._members[visitor] = _Member(self._reach_s or 0.0)
            member.cause = cause
        elif member.cause == "time" or cause == "event":
            member.cause = cause
        member.reach_s = self._reach_s or 0.0
        self._schedule(visitor, member, at.timestamp())

    def load(self, visitor: str, segment: str, since: datetime) -> None:
        """Takes back what was known of a visitor; `touch` them afterwards."""
        member = self._members[visitor] = _Member(self._reach_s or 0.0)
        member.segment, member.changed_s, member.cause = segment, since.timestamp(), "time"
        member.free_s = member.changed_s + self._settle_s

    def is_scheduled(self, visitor: str) -> bool:
        """Whether the visitor will be looked at."""
        member = self._members.get(visitor)
        return member is not None and member.due_s > 0.0

    def forget(self, visitor: str) -> None:
        """Lets go of a visitor, erased or merged into another."""
        self._members.pop(visitor, None)

    def catch_up(self, visitor: str, now: datetime) -> tuple[Transition, ...]:
        """What fell due for one visitor before now: asked before an event of theirs is folded."""
        found = []
        now_s = now.timestamp()
        while (member := self._members.get(visitor)) and 0.0 < member.due_s < now_s:
            change = self._look(visitor, member, member.due_s)
            if change is not None:
                found.append(change)
        return tuple(found)

    def advance(self, now: datetime, limit: int | None = None) -> tuple[Transition, ...]:
        """Everything that fell due up to now, in the order in which it did.

        Args:
            now: the time.
            limit: visitors to look at, at most; ask again until `due_s` is later than now.
        """
        found = []
        now_s, n_looks = now.timestamp(), 0
        while self._heap and self._heap[0][0] <= now_s and n_looks != limit:
            due_s, visitor = heapq.heappop(self._heap)
            member = self._members.get(visitor)
            if member is None or member.due_s != due_s:
                continue  # scheduled anew since
            n_looks += 1
            change = self._look(visitor, member, due_s)
            if change is not None:
                found.append(change)
        return tuple(found)

    def _look(self, visitor: str, member: _Member, at_s: float) -> Transition | None:
        segment = self._at(visitor, at_s)
        source, free_s = member.segment, member.free_s
        member.due_s = 0.0
        if at_s < member.changed_s:  # of before what was taken back: nobody goes back
            self._schedule(visitor, member, member.changed_s)
            return None
        change = None
        if segment is None:
            del self._members[visitor]
        if segment != source and (
            segment is None or at_s >= free_s or member.cause == "refit"  # which is no flapping
        ):
            at = datetime.fromtimestamp(at_s, UTC)
            change = Transition(visitor, source, segment, at, member.cause)
            member.segment, member.changed_s = segment, at_s
            if source is not None:  # whoever is new may move on at once
                member.free_s = at_s + self._settle_s
        if segment is None:
            return change
        if segment == member.segment:
            member.cause, free_s = "time", inf
        self._plan(visitor, member, segment, (at_s, free_s))
        return change

    def _plan(
        self, visitor: str, member: _Member, segment: str, times: tuple[float, float]
    ) -> None:
        """Schedules the next look: when what is put off may be, or time changes something."""
        at_s, free_s = times
        if self._reach_s is None:
            moment = self._next_change(visitor, segment, at_s, (FIRST_PROBE_S, HORIZON_S))
        else:
            reach_s = member.reach_s
            moment = self._next_change(visitor, segment, at_s, (reach_s, reach_s))
            if moment is None and at_s + reach_s < LAST_S:
                moment = at_s + reach_s
                member.reach_s = min(2.0 * reach_s, LONGEST_REACH_S)
        due_s = min(inf if moment is None else moment, free_s)
        if due_s < inf:
            self._schedule(visitor, member, due_s)

    def _next_change(
        self, visitor: str, segment: str, at_s: float, ahead: tuple[float, float]
    ) -> float | None:
        """When time alone changes the segment: probed at doubling distances, then halved down.

        One that comes and goes between two probes is passed over.
        """
        step, horizon = ahead
        low = at_s
        end = min(at_s + horizon, LAST_S - 1.0)
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
    """The segment that the pipeline's segmentation puts a visitor in; None for one merged away."""

    def segment_at(visitor: str, at: datetime) -> str | None:
        if not pipeline.knows(visitor):
            return None
        return pipeline.describe(visitor, at).segment

    return segment_at


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
        if not pipeline.knows(visitor):
            return None
        away = pipeline.look(visitor, at).natural(position)
        return name if away >= days - 1e-9 else f"not {name}"

    return segment_at
