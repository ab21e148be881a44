"""Visitors and segmentations of a store, read beside a running service: for `segue segments`.

Read only. Visitors as they are now come from their saved profiles and the tail of the log; as they
were at an earlier time, from the events that had happened by then.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from api.ingest.conversion import EVENT_JSON, ORDER
from api.loop.clock import from_us, to_us
from api.loop.snapshot import POPULATION
from api.settings import LEARNED
from api.shards.local import Local, cores
from api.storage.base import RefitRow, StoreError
from api.storage.memberships import DailyMove, TransitionRow, daily, flows, last
from api.storage.reading import reading
from policy import model_file
from policy.errors import ModelFileError
from segments.batch import matrix
from segments.cluster.segmentation import Segmentation
from segments.errors import SegmentsError
from segments.event import Event
from segments.features.base import net_cents
from segments.pipeline import Pipeline

DAY_S = 86_400.0
FOREVER_US = 2**62
_RETURNED = ("Order Refunded", "Order Cancelled")


@dataclass(frozen=True, slots=True, eq=False)
class SavedFit:
    """A segmentation as it was saved.

    Args:
        version: Its number; 1 for the first fit.
        fitted_at: When it was.
        segmentation: The model.
    """

    version: int
    fitted_at: datetime
    segmentation: Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Every known visitor at one moment.

    Args:
        at: The moment; None where nobody wrote it down.
        visitors: Ids, the order of the rows.
        vectors: Shape (n_visitors, n_features), float32.
        feature_names: Of the columns.
        outcome: What each went on to spend, in cents, shape (n_visitors,); None where that is not
            known.
    """

    at: datetime | None
    visitors: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    feature_names: tuple[str, ...]
    outcome: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class VisitorLog:
    """A store's file, as far as segments are concerned.

    Args:
        path: The file.

    Raises:
        StoreError: From each method, where it is no store of this version.
    """

    path: Path

    def fits(self) -> tuple[SavedFit, ...]:
        """Every segmentation that can still be read, the oldest first."""
        sql = "SELECT version, fitted_at_us, data FROM segmentations ORDER BY version"
        with reading(self.path) as connection:
            rows = connection.execute(sql).fetchall()
        return tuple(fit for row in rows if (fit := _fit(*row)) is not None)

    def refits(self) -> tuple[RefitRow, ...]:
        """Every refit and what came of it, the oldest first."""
        sql = f"SELECT {', '.join(RefitRow._fields)} FROM refits ORDER BY seq"  # noqa: S608  # our own
        with reading(self.path) as connection:
            if not _has(connection, "refits"):
                return ()
            return tuple(RefitRow(*row) for row in connection.execute(sql))

    def flows(self, since: datetime) -> list[tuple[str, str | None, str | None, str, int]]:
        """Changes of segment since a time: (grouping, source, target, cause, visitors)."""
        with reading(self.path) as connection:
            known = _has(connection, "transitions")
            return flows(connection, to_us(since), FOREVER_US) if known else []

    def changes(self, visitor: str, limit: int) -> list[TransitionRow]:
        """The last changes of segment of a visitor, the newest first."""
        with reading(self.path) as connection:
            if not _has(connection, "transitions"):
                return []
            return [row for _, row in last(connection, [visitor], limit)]

    def moves(self) -> list[DailyMove]:
        """All changes of the learned segments, by day."""
        with reading(self.path) as connection:
            return daily(connection, LEARNED) if _has(connection, "transitions") else []

    def latest(self) -> datetime:
        """When the last event of the log happened.

        Raises:
            StoreError: There is no event.
        """
        with reading(self.path) as connection:
            (last,) = connection.execute("SELECT max(timestamp_us) FROM events").fetchone()
        if last is None:
            raise StoreError(f"{self.path} holds no event yet; send some, then ask again")
        return from_us(int(last))

    def pipeline(self) -> Pipeline:
        """Everybody as they are now, as a service comes to know them at its start.

        Raises:
            StoreError: The saved profiles are of other features.
        """
        pipeline = Pipeline()
        with reading(self.path) as connection:
            connection.execute("BEGIN")  # one state of the file, whatever a service saves meanwhile
            try:
                _load(connection, pipeline)
            except SegmentsError as error:
                raise StoreError(
                    f"{self.path} holds profiles that cannot be read: {error}; start the service "
                    "on it once, which folds them again"
                ) from None
            sql = "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq"
            for seq, body in connection.execute(sql, (pipeline.population_seq,)):
                event = _event(body)
                if event is not None:
                    pipeline.observe(event, seq)
        return pipeline

    def crowds(
        self, moments: Sequence[datetime], outcome_days: float | None = None
    ) -> tuple[Crowd, ...]:
        """Everybody at earlier moments, by what had happened until then.

        Events that retention let go are missed; what came in late counts from when it happened.

        Args:
            moments: Timezone-aware, the earliest first.
            outcome_days: Reads what each visitor spent, net of returns, in so many days after; None
                for no outcome.
        """
        pipeline, ahead = Pipeline(), self._in_time()
        taken: list[tuple[datetime, list[str], npt.NDArray[np.float32]]] = []
        orders: list[Event] = []
        numbers, event = count(), next(ahead, None)
        for at in [*moments, None]:  # None: the rest of the log
            while event is not None and (event.timestamp < at if at else outcome_days is not None):
                pipeline.observe(event, next(numbers))
                if event.name == ORDER or event.name in _RETURNED:
                    orders.append(event)
                event = next(ahead, None)
            if at is not None:
                with Local(cores()) as map_chunks:
                    taken.append((at, *matrix(pipeline, at, map_chunks)))
        return tuple(
            Crowd(at, tuple(visitors), vectors, pipeline.feature_names)
            if outcome_days is None
            else Crowd(
                at,
                tuple(visitors),
                vectors,
                pipeline.feature_names,
                _spent(pipeline, visitors, _within(orders, at, outcome_days)),
            )
            for at, visitors, vectors in taken
        )

    def _in_time(self) -> Iterator[Event]:
        sql = "SELECT body FROM events ORDER BY timestamp_us, seq"
        with reading(self.path) as connection:
            for (body,) in connection.execute(sql):
                event = _event(body)
                if event is not None:
                    yield event


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the store is of a version that writes this down."""
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(sql, (table,)).fetchone() is not None


def _load(connection: sqlite3.Connection, pipeline: Pipeline) -> None:
    for visitor, data in connection.execute("SELECT visitor, data FROM profiles"):
        pipeline.load_profile(visitor, data)
    for link in connection.execute("SELECT alias, visitor, seq FROM aliases"):
        pipeline.load_alias(*link)
    sql = "SELECT data FROM state WHERE key = ?"
    population = connection.execute(sql, (POPULATION,)).fetchone()
    if population is not None:
        pipeline.load_population(population[0])


def _within(events: Sequence[Event], start: datetime, days: float) -> list[Event]:
    length = days * DAY_S
    return [one for one in events if 0.0 <= (one.timestamp - start).total_seconds() < length]


def _spent(
    pipeline: Pipeline, visitors: Sequence[str], events: Sequence[Event]
) -> npt.NDArray[np.float64]:
    """Cents net of returns, at least 0, of the people that the visitors turned out to be."""
    cents: dict[str, float] = defaultdict(float)
    seen: set[str] = set()
    for event in events:
        worth = net_cents(event)
        if event.name == ORDER:
            if event.order_id in seen:  # reported twice, by the page and by a webhook
                continue
            seen.update([event.order_id] if event.order_id else [])
        else:
            worth = -worth
        cents[pipeline.resolve(event.visitor)] += worth
    return np.array([max(cents[pipeline.resolve(visitor)], 0.0) for visitor in visitors])


def _event(body: str) -> Event | None:
    try:
        return EVENT_JSON.validate_json(body)
    except ValidationError:  # of a later version: the service logs and skips it likewise
        return None


def _fit(version: int, fitted_at_us: int, data: bytes) -> SavedFit | None:
    try:
        segmentation = Segmentation.from_state(*model_file.load(data))
    except (ModelFileError, SegmentsError):
        return None
    return SavedFit(version, from_us(fitted_at_us), segmentation)
