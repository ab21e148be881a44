"""The store in one SQLite file: the default, nothing to install.

Write-ahead log; `power-loss` durability flushes every commit (synchronous FULL), `crash` leaves
that to the operating system (NORMAL). One connection, owned by the writer's thread once the
service runs; a lock file keeps a second service away.
"""

import asyncio
import contextlib
import hashlib
import json
import sqlite3
from asyncio import Future
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from api.storage import memberships, outbox
from api.storage.base import (
    EXPOSURES,
    Appended,
    BookingRow,
    Commits,
    DeadLetterRow,
    DecisionRow,
    Effect,
    EventRow,
    LearningRow,
    ModelRow,
    Redemption,
    RefitRow,
    RepeatedDecisionError,
    RewardOutcome,
    RewardRow,
    SettlementRow,
    Specs,
    Store,
    StoreError,
)
from api.storage.keyed import Keyed, KeyedRequest, Told, claim, forget, once, recall, remember
from api.storage.ledger import activate, apply, explicit_reward
from api.storage.lessons import lessons
from api.storage.lock import lock_store
from api.storage.memberships import MembershipRow, Through, TransitionRow
from api.storage.migrations import migrate
from api.storage.record import DecisionRecord
from api.storage.records import COLUMNS, SELECT_DECISION, record_of
from api.storage.retention import Covered, Expired, expire
from api.storage.settlements import redeem
from api.storage.subjects import SQLiteSubjects
from api.storage.trials import SQLiteTrials
from api.storage.windows import default_rewards, void, void_all
from api.storage.writer import GroupCommitWriter, insert_rows
from policy.catalog.history import Exposure

T = TypeVar("T")
SYNCHRONOUS = {"power-loss": "FULL", "crash": "NORMAL"}
KEPT_MODELS, KEPT_DAYS = 5, 30
"""The latest saved models of a placement, and the last ones of its latest days."""
DAY_US = 86_400_000_000
BUSY_TIMEOUT_MS = 2000
CHECKPOINT_PAGES = 4000
"""16 MB of log before it is folded into the file: pages written often are then copied once."""
CHECKED_BYTES = 2**30
"""Larger files are not read whole at every start; SQLite still refuses a damaged page it meets."""


def _insert(table: str, row: type[tuple[object, ...]]) -> str:
    columns = row._fields  # type: ignore[attr-defined]  # a NamedTuple
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # names of our own


INSERT_DECISION = _insert("decisions", DecisionRow)
SELECT_LIST = f"SELECT {COLUMNS} FROM decisions WHERE list_id = ? ORDER BY seq"  # noqa: S608  # names of our own
INSERT_EVENTS = _insert("events", EventRow)
INSERT_EVENT = INSERT_EVENTS + " ON CONFLICT (message_id) DO NOTHING"
INSERT_DEAD_LETTER = _insert("dead_letters", DeadLetterRow)
INSERT_REFIT = _insert("refits", RefitRow)
SELECT_REFITS = f"SELECT {', '.join(RefitRow._fields)} FROM refits"  # noqa: S608  # as above


class SQLiteStore(Store):
    """A `Store` in one file.

    Args:
        path: The database file; it is created when absent.
        durability: `power-loss` or `crash`, see the module.
        deadline_seconds: For which a decision waits until it is durable.

    Raises:
        StoreError: When the file is corrupt, locked by another service, or from a newer version.
    """

    def __init__(
        self, path: Path, durability: str = "power-loss", deadline_seconds: float = 0.25
    ) -> None:
        self._deadline_seconds = deadline_seconds
        path = path.resolve()  # two names of one file are one store
        self._lock = lock_store(path)
        try:
            self._connection = _connect(path, SYNCHRONOUS[durability])
            migrate(Database(self._connection))
        except sqlite3.Error as error:
            self._lock.close()
            raise StoreError(
                f"{path}: {error}; restore the file from a backup, or move it (with its -wal and "
                "-shm files) away to start with an empty store"
            ) from None
        except StoreError:
            self._lock.close()
            raise
        self._writer: GroupCommitWriter | None = None
        self._subjects = SQLiteSubjects(path, self._connection, lambda: self.writer)
        self._trials = SQLiteTrials(path, self._connection, lambda: self.writer)

    @property
    def subjects(self) -> SQLiteSubjects:
        """See `Store`."""
        return self._subjects

    @property
    def trials(self) -> SQLiteTrials:
        """See `Store`."""
        return self._trials

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the connection to the writer's thread; from now on only futures."""
        self._writer = GroupCommitWriter(self._connection, loop, self._deadline_seconds)

    @property
    def writer(self) -> GroupCommitWriter:
        """The running writer."""
        if self._writer is None:
            raise StoreError("the store is not started")
        return self._writer

    @property
    def n_waiting(self) -> int:
        """See `Store`."""
        return 0 if self._writer is None else self._writer.n_waiting

    @property
    def commits(self) -> Commits:
        """See `Store`."""
        return Commits() if self._writer is None else self._writer.commits

    def append_decision(self, row: DecisionRow, keyed: Keyed[int] | None = None) -> Future[int]:
        """See `Store`."""
        if keyed is None:
            return self.writer.append(INSERT_DECISION, row, undo=void)

        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(INSERT_DECISION, row).lastrowid or 0

        return self.writer.call(once(work, keyed), undo=_undo(void, keyed))

    def append_decisions(
        self, rows: Sequence[DecisionRow], keyed: Keyed[list[int]] | None = None
    ) -> Future[list[int]]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> list[int]:
            try:
                return [connection.execute(INSERT_DECISION, row).lastrowid or 0 for row in rows]
            except sqlite3.IntegrityError:
                raise RepeatedDecisionError("a decision of this id is in the log") from None

        return self.writer.call(once(work, keyed), undo=_undo(void_all, keyed))

    def decisions_of_list(self, list_id: str) -> Future[list[DecisionRow]]:
        """See `Store`."""
        return self.writer.call(
            lambda connection: [
                DecisionRow(*row) for row in connection.execute(SELECT_LIST, (list_id,))
            ]
        )

    def append_events(
        self,
        rows: Sequence[EventRow],
        effects: Sequence[Sequence[Effect | Redemption]],
        on_commit: Callable[[Appended], None],
        letters: Sequence[DeadLetterRow] = (),
        keyed: Keyed[Appended] | None = None,
    ) -> Future[Appended]:
        """See `Store`."""
        self.writer.refuse_when_slow()

        def work(connection: sqlite3.Connection) -> Appended:
            seqs: list[int | None] = []
            n_rewards = 0
            settlements: list[SettlementRow] = []
            due = zip(rows, effects, strict=True)
            for has_effects, run in groupby(due, lambda one: bool(one[1])):
                if not has_effects:
                    seqs += _append_events(connection, [row for row, _ in run])
                    continue
                for row, of_row in run:
                    (seq,) = _append_events(connection, [row])
                    seqs.append(seq)
                    for effect in of_row if seq is not None else ():
                        if isinstance(effect, Redemption):
                            settlements += redeem(connection, row, effect)
                        else:
                            n_rewards += apply(connection, row, seq or 0, effect)
            connection.executemany(INSERT_DEAD_LETTER, letters)
            return Appended(tuple(seqs), n_rewards, tuple(settlements))

        return self.writer.call(once(work, keyed), on_commit)

    def subscribe(self, endpoints: Mapping[str, Sequence[str]]) -> None:
        """See `Store`."""
        try:
            outbox.subscribe(self._connection, endpoints)
        except sqlite3.OperationalError as error:
            raise StoreError(f"the store cannot be written: {error}") from None

    def tell(self, notice: outbox.Notice) -> Future[int]:
        """See `Store`."""
        return self.writer.call(lambda connection: outbox.tell(connection, notice))

    def due_notices(
        self, endpoint: str, now_us: int, limit: int
    ) -> Future[tuple[list[outbox.Delivery], int]]:
        """See `Store`."""
        return self.writer.call(lambda connection: outbox.due(connection, endpoint, now_us, limit))

    def settle_notices(self, results: Sequence[outbox.Sent]) -> Future[None]:
        """See `Store`."""
        return self.writer.call(lambda connection: outbox.settle(connection, results))

    def redeliver(self, endpoint: str | None, message_id: str | None, now_us: int) -> Future[int]:
        """See `Store`."""
        return self.writer.call(
            lambda connection: outbox.redeliver(connection, endpoint, message_id, now_us)
        )

    def buyer_of(self, order_id: str) -> Future[str | None]:
        """See `Store`."""
        sql = """SELECT visitor FROM events WHERE order_id = ? AND name = 'Order Completed'
                 ORDER BY seq LIMIT 1"""

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(sql, (order_id,)).fetchone()
            return None if row is None else str(row[0])

        return self.writer.call(work)

    def append_reward(
        self,
        row: RewardRow,
        visitors: tuple[str, ...],
        specs: Specs,
        owner: str | None = None,
        keyed: Keyed[RewardOutcome] | None = None,
    ) -> Future[RewardOutcome]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> RewardOutcome:
            return explicit_reward(connection, row, visitors, specs, owner)

        return self.writer.call(once(work, keyed))

    def activate(
        self,
        decision_id: str,
        visitors: tuple[str, ...],
        now_us: int,
        specs: Specs,
        owner: str | None = None,
        keyed: Keyed[RewardOutcome] | None = None,
    ) -> Future[RewardOutcome]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> RewardOutcome:
            return activate(connection, decision_id, visitors, now_us, specs, owner)

        return self.writer.call(once(work, keyed))

    def claim(self, request: KeyedRequest) -> Future[None]:
        """See `Store`."""
        return self.writer.call(lambda connection: claim(connection, request))

    def answer(self, request: KeyedRequest, told: Told) -> Future[None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> None:
            recall(connection, request)
            remember(connection, request, told)

        return self.writer.call(work)

    def append_dead_letters(self, rows: Sequence[DeadLetterRow]) -> Future[None]:
        """See `Store`."""
        self.writer.refuse_when_slow()
        return self._write_many(INSERT_DEAD_LETTER, rows)

    def close_windows(self, now_us: int, specs: Specs, limit: int) -> Future[int]:
        """See `Store`."""
        return self.writer.call(
            lambda connection: default_rewards(connection, now_us, specs, limit)
        )

    def decision(self, decision_id: str) -> Future[DecisionRow | None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> DecisionRow | None:
            row = connection.execute(SELECT_DECISION, (decision_id,)).fetchone()
            return None if row is None else DecisionRow(*row)

        return self.writer.call(work)

    def record(self, decision_id: str) -> Future[DecisionRecord | None]:
        """See `Store`."""
        return self.writer.call(lambda connection: record_of(connection, decision_id))

    def expire(
        self, table: str, before_us: int, covered: Covered, after: tuple[int, int], limit: int
    ) -> Future[Expired]:
        """See `Store`."""
        return self.writer.call(
            lambda connection: expire(connection, table, before_us, covered, after, limit)
        )

    def rewards_after(self, seq: int, limit: int) -> Future[list[LearningRow]]:
        """See `Store`."""
        where = "r.seq > ? ORDER BY r.seq LIMIT ?"
        return self.writer.call(lambda connection: lessons(connection, where, (seq, limit)))

    def events_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        """See `Store`."""
        sql = "SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        return list(self._connection.execute(sql, (seq, limit)))

    def exposures_after(self, seq: int, limit: int) -> list[tuple[int, str, Exposure]]:
        """See `Store`."""
        sql = """SELECT seq, visitor, placement, action_id, kind, channel, price_cents, price_of,
                        decided_at_us
                 FROM decisions WHERE seq > ? ORDER BY seq LIMIT ?"""
        rows = self._connection.execute(sql, (seq, limit))
        return [(place, visitor, Exposure(*shown)) for place, visitor, *shown in rows]

    def bookings_after(self, seq: int, limit: int) -> list[BookingRow]:
        """See `Store`."""
        sql = """SELECT seq, decision_id, placement, action_id, decided_at_us
                 FROM decisions WHERE seq > ? ORDER BY seq LIMIT ?"""
        return [BookingRow(*row) for row in self._connection.execute(sql, (seq, limit))]

    def settlements_after(self, seq: int, limit: int) -> list[SettlementRow]:
        """See `Store`."""
        sql = """SELECT seq, decision_id, action_id, units, cents, at_us, decisions_through
                 FROM settlements WHERE seq > ? ORDER BY seq LIMIT ?"""
        return [SettlementRow(*row) for row in self._connection.execute(sql, (seq, limit))]

    def layout(self, names: Mapping[str, Sequence[str]]) -> int:
        """See `Store`."""
        text = json.dumps({key: list(value) for key, value in names.items()}, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        insert = "INSERT INTO layouts (fingerprint, names) VALUES (?, ?) ON CONFLICT DO NOTHING"
        try:
            self._connection.execute(insert, (fingerprint, text))
        except sqlite3.OperationalError as error:
            raise StoreError(f"the store cannot be written: {error}") from None
        sql = "SELECT layout FROM layouts WHERE fingerprint = ?"
        (number,) = self._connection.execute(sql, (fingerprint,)).fetchone()
        return int(number)

    def layouts(self) -> dict[int, dict[str, list[str]]]:
        """See `Store`."""
        rows = self._connection.execute("SELECT layout, names FROM layouts")
        return {int(number): json.loads(names) for number, names in rows}

    def save_models(self, models: Sequence[ModelRow], now_us: int) -> Future[None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> None:
            for placement, policy, learned_through, data in models:
                connection.execute(
                    "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?)",
                    (placement, policy, learned_through, now_us, data),
                )
                connection.execute(
                    """DELETE FROM models WHERE placement = ?1 AND policy = ?2
                       AND learned_through NOT IN (
                           SELECT learned_through FROM models WHERE placement = ?1 AND policy = ?2
                           ORDER BY learned_through DESC LIMIT ?3)
                       AND learned_through NOT IN (
                           SELECT max(learned_through) FROM models
                           WHERE placement = ?1 AND policy = ?2
                           GROUP BY saved_at_us / ?5 ORDER BY 1 DESC LIMIT ?4)""",
                    (placement, policy, KEPT_MODELS, KEPT_DAYS, DAY_US),
                )

        return self.writer.call(work)

    def load_model(self, placement: str, policy: str) -> tuple[int, bytes] | None:
        """See `Store`."""
        sql = """SELECT learned_through, data FROM models WHERE placement = ? AND policy = ?
                 ORDER BY learned_through DESC LIMIT 1"""
        return self._one(sql, placement, policy)  # type: ignore[return-value]  # the columns' types

    def save_profiles(
        self,
        profiles: Sequence[tuple[str, int, bytes | None]],
        aliases: Sequence[tuple[str, str, int]],
    ) -> Future[None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?)",
                [profile for profile in profiles if profile[2] is not None],
            )
            connection.executemany(
                "DELETE FROM profiles WHERE visitor = ?",
                [(visitor,) for visitor, _, data in profiles if data is None],
            )
            connection.executemany("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", aliases)

        return self.writer.call(work)

    def load_profiles(self) -> Iterator[tuple[str, bytes]]:
        """See `Store`."""
        return self._connection.execute("SELECT visitor, data FROM profiles")

    def load_aliases(self) -> Iterator[tuple[str, str, int]]:
        """See `Store`."""
        return self._connection.execute("SELECT alias, visitor, seq FROM aliases")

    def save_exposures(self, exposures: Sequence[tuple[str, bytes]]) -> Future[None]:
        """See `Store`."""
        return self._write_many("INSERT OR REPLACE INTO exposures VALUES (?, ?)", exposures)

    def load_exposures(self) -> Iterator[tuple[str, bytes]]:
        """See `Store`."""
        return self._connection.execute("SELECT visitor, data FROM exposures")

    def clear_exposures(self) -> None:
        """See `Store`."""
        self._connection.execute("DELETE FROM state WHERE key = ?", (EXPOSURES,))
        self._connection.execute("DELETE FROM exposures")

    def save_habits(self, habits: Sequence[tuple[str, int, bytes | None]]) -> Future[None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO habits VALUES (?, ?, ?)",
                [row for row in habits if row[2] is not None],
            )
            connection.executemany(
                "DELETE FROM habits WHERE visitor = ?",
                [(visitor,) for visitor, _, data in habits if data is None],
            )

        return self.writer.call(work)

    def load_habits(self) -> Iterator[tuple[str, bytes]]:
        """See `Store`."""
        return self._connection.execute("SELECT visitor, data FROM habits ORDER BY seq")

    def append_transitions(
        self, rows: Sequence[TransitionRow], through: Through | None
    ) -> Future[list[tuple[int, TransitionRow]]]:
        """See `Store`."""
        return self.writer.call(lambda connection: memberships.append(connection, rows, through))

    def transitions_after(self, seq: int, limit: int) -> Future[list[tuple[int, TransitionRow]]]:
        """See `Store`."""
        return self.writer.call(lambda connection: memberships.after(connection, seq, limit))

    def last_transitions(
        self, visitors: Sequence[str], limit: int
    ) -> Future[list[tuple[int, TransitionRow]]]:
        """See `Store`."""
        return self.writer.call(lambda connection: memberships.last(connection, visitors, limit))

    def members(
        self, grouping: str, segment: str, beyond: str, limit: int
    ) -> Future[list[MembershipRow]]:
        """See `Store`."""
        return self.writer.call(
            lambda connection: memberships.members(connection, grouping, segment, beyond, limit)
        )

    def flows(
        self, from_us: int, until_us: int
    ) -> Future[list[tuple[str, str | None, str | None, str, int]]]:
        """See `Store`."""
        return self.writer.call(lambda connection: memberships.flows(connection, from_us, until_us))

    def load_memberships(self) -> Iterator[MembershipRow]:
        """See `Store`."""
        sql = "SELECT visitor, grouping, segment, since_us FROM memberships"
        return (MembershipRow(*row) for row in self._connection.execute(sql))

    def save_refit(self, row: RefitRow, data: bytes | None) -> Future[None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(INSERT_REFIT, row)
            if data is not None:
                sql = "INSERT OR REPLACE INTO segmentations VALUES (?, ?, ?)"
                connection.execute(sql, (row.version, row.at_us, data))

        return self.writer.call(work)

    def refits(self, limit: int) -> Future[list[RefitRow]]:
        """See `Store`."""
        sql = f"{SELECT_REFITS} ORDER BY seq DESC LIMIT ?"
        return self.writer.call(
            lambda connection: [RefitRow(*row) for row in connection.execute(sql, (limit,))]
        )

    def last_refit(self, adopted: bool) -> RefitRow | None:
        """See `Store`."""
        where = "WHERE outcome = 'adopted'" if adopted else ""
        row = self._one(f"{SELECT_REFITS} {where} ORDER BY seq DESC LIMIT 1")
        return None if row is None else RefitRow(*row)  # type: ignore[arg-type]  # the columns'

    def segmentation(self, version: int) -> Future[bytes | None]:
        """See `Store`."""

        def work(connection: sqlite3.Connection) -> bytes | None:
            sql = "SELECT data FROM segmentations WHERE version = ?"
            row = connection.execute(sql, (version,)).fetchone()
            return None if row is None else bytes(row[0])

        return self.writer.call(work)

    def load_segmentation(self) -> tuple[int, bytes] | None:
        """See `Store`."""
        sql = """SELECT fitted_at_us, data FROM segmentations
                 ORDER BY fitted_at_us DESC, version DESC LIMIT 1"""
        return self._one(sql)  # type: ignore[return-value]  # the columns' types

    def save_state(self, key: str, data: bytes) -> Future[None]:
        """See `Store`."""
        return self._write_many("INSERT OR REPLACE INTO state VALUES (?, ?)", [(key, data)])

    def load_state(self, key: str) -> bytes | None:
        """See `Store`."""
        row = self._one("SELECT data FROM state WHERE key = ?", key)
        return None if row is None else bytes(row[0])  # type: ignore[call-overload]  # a BLOB

    def last_reward(self) -> Future[int]:
        """See `Store`."""
        sql = "SELECT coalesce(max(seq), 0) FROM rewards"
        return self.writer.call(lambda connection: int(connection.execute(sql).fetchone()[0]))

    def latest_us(self) -> int:
        """See `Store`."""
        last = [
            self._one(f"SELECT {column} FROM {table} ORDER BY seq DESC LIMIT 1")  # noqa: S608  # our own
            for table, column in (("decisions", "decided_at_us"), ("events", "received_at_us"))
        ]
        return max((int(row[0]) for row in last if row), default=0)  # type: ignore[call-overload]  # integers

    async def close(self) -> None:
        """See `Store`."""
        if self._writer is not None:
            await self._writer.close()
        self._connection.close()
        self._lock.close()

    def _one(self, sql: str, *parameters: object) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def _write_many(self, sql: str, rows: Sequence[tuple[object, ...]]) -> Future[None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, rows)

        return self.writer.call(work)


def _undo(
    undo: Callable[[sqlite3.Connection, T], object], keyed: Keyed[T] | None
) -> Callable[[sqlite3.Connection, T], object]:
    """Taking a decision back, with what its request was to be answered."""
    if keyed is None:
        return undo

    def both(connection: sqlite3.Connection, result: T) -> None:
        undo(connection, result)
        forget(connection, keyed.request)

    return both


def _append_events(
    connection: sqlite3.Connection, rows: Sequence[EventRow]
) -> Sequence[int | None]:
    """Append events; None for one that is there already."""
    if len(rows) > 1:
        connection.execute("SAVEPOINT events")
        try:
            places = insert_rows(connection, INSERT_EVENTS, rows)
        except sqlite3.IntegrityError:  # one of them is known: find out which
            connection.execute("ROLLBACK TO events")
        else:
            connection.execute("RELEASE events")
            return places
        connection.execute("RELEASE events")
    cursors = (connection.execute(INSERT_EVENT, row) for row in rows)
    return [cursor.lastrowid if cursor.rowcount else None for cursor in cursors]


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    with contextlib.suppress(OSError):  # one that can be made will be; SQLite says why not
        path.touch(mode=0o600, exist_ok=False)  # it holds personal data: its owner's alone
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "PRAGMA foreign_keys = OFF"
    )  # a reward of an unknown decision is refused by name
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if path.stat().st_size <= CHECKED_BYTES:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the database file is damaged: {verdict}")
    return connection
