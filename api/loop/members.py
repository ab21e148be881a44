"""Members: which segment each visitor is in, as events and time change it, into the log.

Beside the pipeline, off the request path: an event only marks its visitor; a task looks at who was
marked, and at whom a time window passes, a few at a time. Each change is a row of the log, written
with the membership that it leads to, so a crash loses none and doubles none. Whoever wants to hear
of changes follows those rows by `Store.transitions_after`, and is woken by `listeners`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import structlog

from api.loop.clock import Clock, from_us, to_us
from api.loop.metrics import Metrics
from api.settings import LEARNED, SegmentSettings
from api.storage.base import Store, StoreError
from api.storage.memberships import THROUGH, Through, TransitionRow
from segments.decay import DAY_S
from segments.membership import Cause, Membership, Transition, by_absence, by_segmentation
from segments.pipeline import Pipeline

log = structlog.get_logger()

TICK_SECONDS: Final = 0.25
LOOKS_AT_ONCE: Final = 10
"""Between two turns of the event loop: about a millisecond."""
REST_SECONDS: Final = 0.001
"""Between looks, when there are many: requests come first."""
WRITTEN_AT_ONCE: Final = 500
RETRY_SECONDS: Final = 1.0

Listener = Callable[[Sequence[tuple[int, TransitionRow]]], None]


class Members:
    """Keeps memberships current.

    Args:
        settings: `[segments]`.
        pipeline: Whose visitors.
        store: Where changes become durable.
        clock: What time it is.
        metrics: Counts changes and members.

    Attributes:
        listeners: Called on the event loop with changes and their places in the log, once they are
            durable. A listener that must miss none, also over a restart, keeps the last place that
            it has seen and reads on from there.
        pause: Nothing is looked at or written while somebody else holds it.
    """

    def __init__(
        self,
        settings: SegmentSettings,
        pipeline: Pipeline,
        store: Store,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._clock = clock
        self._metrics = metrics
        learned = Membership(by_segmentation(pipeline), settings.settle_minutes * 60.0, DAY_S)
        self._groupings = {LEARNED: learned} | {
            one.name: Membership(by_absence(pipeline, one.feature, one.days, one.name), 0.0, DAY_S)
            for one in settings.absences
        }
        self._reviews: deque[tuple[str, datetime | None]] = deque()
        self._unsaved: list[TransitionRow] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._through = Through()
        self.listeners: list[Listener] = []
        self.pause = asyncio.Lock()

    def of(self, visitor: str) -> dict[str, tuple[str, datetime | None]]:
        """The segments of a visitor by grouping, and since when."""
        visitor = self._pipeline.resolve(visitor)
        return {
            grouping: (segment, members.since(visitor))
            for grouping, members in self._groupings.items()
            if (segment := members.of(visitor)) is not None
        }

    def sizes(self) -> dict[tuple[str, str], int]:
        """Members by grouping and segment, now."""
        return {key: n for key, n in self._counts.items() if n}

    def before(self, visitor: str, at: datetime) -> None:
        """An event of a visitor is about to be folded: what time brought about comes first."""
        for grouping, members in self._groupings.items():
            self._take(grouping, members.catch_up(visitor, at))

    def after(self, visitor: str, at: datetime) -> None:
        """An event of a visitor was folded."""
        for members in self._groupings.values():
            members.touch(visitor, at)

    def review(self) -> None:
        """Other segments are in use than before: look at everybody, after whatever is due."""
        self._reviews.extend((visitor, None) for visitor in self._pipeline.visitors())

    def forget(self, visitors: Collection[str]) -> None:
        """Let go of erased visitors; whoever calls it holds `pause`."""
        for visitor in visitors:
            for grouping, members in self._groupings.items():
                segment = members.of(visitor)
                if segment is not None:
                    self._count(grouping, segment, -1)
                members.forget(visitor)
        gone = set(visitors)
        self._unsaved = [row for row in self._unsaved if row.visitor not in gone]

    def restore(self) -> int:
        """Load memberships, as they were when the last change was written.

        Returns:
            Place in the log of the last event that they cover: tell of those that follow.
        """
        through = self._through = Through.load(self._store.load_state(THROUGH))
        refitted = through.version != self._version()
        for visitor, grouping, segment, since_us in self._store.load_memberships():
            members = self._groupings.get(grouping)
            if members is not None:
                members.load(visitor, segment, from_us(since_us))
                cause: Cause = "refit" if refitted and grouping == LEARNED else "time"
                members.touch(visitor, from_us(through.at_us), cause)
                self._counts[grouping, segment] += 1
        for grouping, segment in self._counts:
            self._count(grouping, segment, 0)
        return self._through.seq

    def resume(self) -> None:
        """The log is folded: look at everybody whom no event since had looked at.

        Those who are known to no membership, or whose profile was saved with events that no
        transition covers, are looked at as of the last row of the log.
        """
        latest = from_us(self._store.latest_us())
        for visitor in self._pipeline.visitors():
            if self._pipeline.covered_seq(visitor) > self._through.seq:
                for members in self._groupings.values():
                    if not members.is_scheduled(visitor):
                        members.touch(visitor, latest)
            else:
                self._reviews.append((visitor, latest))

    async def run(self) -> None:
        """Keep memberships current until cancelled."""
        while True:
            try:
                await self.catch_up()
                await asyncio.sleep(TICK_SECONDS)
            except StoreError as error:
                log.warning("transitions_not_written", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("memberships_failed")
                await asyncio.sleep(RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Look at everybody who is due, and write down what changed.

        Raises:
            StoreError: Changes are not durable; they are tried again.
        """
        more = True
        while more:
            async with self.pause:
                through = Through(
                    self._pipeline.population_seq, self._clock.now_us(), self._version()
                )
                more = self._look()
                if not more or len(self._unsaved) >= WRITTEN_AT_ONCE:
                    await self._write(None if more else through)
            await asyncio.sleep(REST_SECONDS if more else 0.0)

    async def flush(self) -> None:
        """Write down what was found so far, as at a stop.

        Raises:
            StoreError: It is not durable; the next start finds it again.
        """
        async with self.pause:
            await self._write(None)

    def _look(self) -> bool:
        """A few looks; whether there is more to do at once."""
        now = self._clock.now()
        for grouping, members in self._groupings.items():
            self._take(grouping, members.advance(now, LOOKS_AT_ONCE))
        now_s = now.timestamp()
        if any((one.due_s or now_s + 1.0) <= now_s for one in self._groupings.values()):
            return True
        for _ in range(min(LOOKS_AT_ONCE, len(self._reviews))):
            visitor, at = self._reviews.popleft()
            if at is None:
                self._groupings[LEARNED].touch(visitor, now, "refit")
                continue
            for members in self._groupings.values():
                if not members.is_scheduled(visitor):
                    members.touch(visitor, at, "time")
        return bool(self._reviews) or any(
            (one.due_s or now_s + 1.0) <= now_s for one in self._groupings.values()
        )

    async def _write(self, through: Through | None) -> None:
        if not self._unsaved:
            return
        # Not put back when cancelled: then they are at the disk, or found again at the next start.
        rows, self._unsaved = self._unsaved, []
        try:
            written = await self._store.append_transitions(rows, through)
        except StoreError:
            self._unsaved = rows + self._unsaved
            raise
        for _, row in written:
            self._metrics.transitions.labels(row.grouping, row.cause).inc()
        if written:
            for listener in self.listeners:
                try:
                    listener(written)
                except Exception:
                    log.exception("listener_failed")

    def _version(self) -> int:
        live = self._pipeline.segmentation
        return 0 if live is None else live.version

    def _take(self, grouping: str, changes: Iterable[Transition]) -> None:
        version = self._version() if grouping == LEARNED else None
        for one in changes:
            if one.source is not None:
                self._count(grouping, one.source, -1)
            if one.target is not None:
                self._count(grouping, one.target, 1)
            at_us = to_us(one.at)
            row = (one.visitor, grouping, one.source, one.target, at_us, one.cause, version)
            self._unsaved.append(TransitionRow(*row))

    def _count(self, grouping: str, segment: str, n: int) -> None:
        self._counts[grouping, segment] += n
        self._metrics.members.labels(grouping, segment).set(self._counts[grouping, segment])
