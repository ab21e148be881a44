"""One thread that owns the connection and commits in groups.

Every request that writes waits for a disk flush; by committing all that waits in one
transaction, a flush serves hundreds of them (the design of datasette's single write thread, with
group commit). It also keeps SQLite at one connection.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar

from api.storage.base import Commits, OverloadedError, StoreUnavailableError

T = TypeVar("T")
MAX_GROUP = 1024
LARGEST_INSERT = 64
MOST_WAITING = 4096
"""Works in the queue, beyond which those that can be sent again are refused."""
SWEEPS = 5
"""Looks at what waits, in the time of one deadline."""
ENOUGH = 64
"""Works that are worth a flush of their own, however many more are coming."""


@dataclass(slots=True, eq=False)
class _Work(Generic[T]):
    """A row for `statement`, or a function of the connection.

    One with `undo` has a deadline: it is `withdrawn` when that passes, and undone where it was too
    late for that.
    """

    future: asyncio.Future[T]
    statement: str | None = None
    row: tuple[Any, ...] = ()
    function: Callable[[sqlite3.Connection], T] | None = None
    alone: bool = False
    undo: Callable[[sqlite3.Connection, T], object] | None = None
    since: float = 0.0
    withdrawn: bool = False
    on_commit: Callable[[T], None] | None = None
    result: T | None = None
    error: Exception | None = None


class GroupCommitWriter:
    """Runs writes in order on one thread; a write is done when its group is committed.

    A group gathers on the event loop for as long as each turn of the loop brings more, and all the
    while the one before is at the disk: under load a flush, the dearest part, then serves dozens,
    and a lone request waits for nobody. The thread is woken once a group, since every wake-up takes
    the interpreter from the loop.

    **When the disk is slow.** What has a deadline fails when it passes, and is not written any
    more; what can be sent again is refused as soon as anything waited for half of that, so that the
    queue is short when the disk is itself again.

    Args:
        connection: A connection in autocommit mode that no other thread uses from now on.
        loop: The event loop that submits and that results are handed to.
        deadline_seconds: See above.

    Attributes:
        commits: What was committed until now.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        deadline_seconds: float = 0.25,
    ) -> None:
        self._connection = connection
        self._deadline_seconds = deadline_seconds
        self.commits = Commits()
        self._writing: list[_Work[Any]] = []
        self._sweeping = False
        self._loop = loop
        self._gathering: list[_Work[Any]] = []
        self._at_disk = False
        self._watching = False
        self._closed = False
        self._drained = asyncio.Event()
        self._groups: queue.SimpleQueue[list[_Work[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="segue-writer", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Works that wait for the disk, or are at it."""
        return len(self._gathering) + len(self._writing)

    @property
    def waited_seconds(self) -> float:
        """How long the oldest of them has waited."""
        oldest = self._writing or self._gathering
        return self._loop.time() - oldest[0].since if oldest else 0.0

    def refuse_when_slow(self) -> None:
        """Ask before work that can be sent again.

        Raises:
            OverloadedError: Too much waits, or has waited for too long.
        """
        if self.n_waiting >= MOST_WAITING or self.waited_seconds > self._deadline_seconds / 2:
            raise OverloadedError("the log is slower than what comes in: send it again, same ids")

    def append(
        self,
        statement: str,
        row: tuple[Any, ...],
        undo: Callable[[sqlite3.Connection, int], object] | None = None,
    ) -> asyncio.Future[int]:
        """Queue one row; consecutive rows of one statement run together.

        Args:
            statement: An INSERT that ends in ``VALUES (?, ..., ?)``.
            row: What the question marks stand for.
            undo: Takes it back, given its place; with it, the row has a deadline.

        Returns:
            Its place in the table, where the table has places of its own.
        """
        return self._submit(
            _Work(self._loop.create_future(), statement=statement, row=row, undo=undo)
        )

    def call(
        self,
        function: Callable[[sqlite3.Connection], T],
        on_commit: Callable[[T], None] | None = None,
        undo: Callable[[sqlite3.Connection, T], object] | None = None,
    ) -> asyncio.Future[T]:
        """Queue a function of the connection; it is undone as a whole when it raises.

        Args:
            function: Runs on the writer's thread inside the group's transaction.
            on_commit: Called on the event loop with the result, in commit order, even when
                nobody awaits the future any more.
            undo: As for `append`, given the result.
        """
        work = _Work(self._loop.create_future(), function=function, on_commit=on_commit, undo=undo)
        return self._submit(work)

    def alone(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queue a function that cannot be part of a transaction, such as VACUUM."""
        return self._submit(_Work(self._loop.create_future(), function=function, alone=True))

    async def close(self) -> None:
        """Commit what is queued, then end the thread."""
        if self._closed:
            return
        self._closed = True
        if self._gathering or self._at_disk:
            await self._drained.wait()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)

    def _submit(self, work: _Work[T]) -> asyncio.Future[T]:
        if self._closed:
            work.future.set_exception(StoreUnavailableError("the store is closed"))
        else:
            self._queue(work)
        return work.future

    def _queue(self, work: _Work[Any], *, first: bool = False) -> None:
        work.since = self._loop.time()
        self._gathering.insert(0 if first else len(self._gathering), work)
        if work.undo is not None and not self._sweeping:
            self._sweeping = True
            self._loop.call_later(self._deadline_seconds / SWEEPS, self._sweep)
        if not self._at_disk and not self._watching:
            self._watching = True
            self._loop.call_soon(self._watch, 0)

    def _sweep(self) -> None:
        """Give up what is over its deadline; goes on while anything waits."""
        over = self._loop.time() - self._deadline_seconds
        for work in chain(self._writing, self._gathering):
            if work.undo is not None and work.since < over and not work.future.done():
                work.withdrawn = True
                work.future.set_exception(
                    StoreUnavailableError("the log was slower than service.deadline_ms")
                )
        self._sweeping = bool(self._writing or self._gathering)
        if self._sweeping:
            self._loop.call_later(self._deadline_seconds / SWEEPS, self._sweep)

    def _watch(self, n_before: int) -> None:
        n_now = len(self._gathering)
        if n_before < n_now < ENOUGH:
            self._loop.call_soon(self._watch, n_now)
        else:
            self._watching = False
            self._hand_over()

    def _hand_over(self) -> None:
        group, self._gathering = self._gathering[:MAX_GROUP], self._gathering[MAX_GROUP:]
        if group:
            self._at_disk = True
            self._writing = group
            self._groups.put(group)

    def _deliver(self, group: list[_Work[Any]]) -> None:
        self._at_disk = False
        self._writing = []
        for work in group:
            if work.withdrawn and work.error is None and work.result is not None:
                self._take_back(work)
            else:
                _finish(work)
        # After them: those who were waiting answer first, and may bring more to the next group.
        if self._gathering and not self._watching:
            self._watching = True
            self._loop.call_soon(self._watch, 0)
        if self._closed and not self._gathering:
            self._drained.set()

    def _take_back(self, work: _Work[Any]) -> None:
        """It was at the disk already when it was given up, and is kept: nobody was told.

        Before all that waits, which must not find it any more.
        """
        undo, result = work.undo, work.result
        if undo is not None:
            future = self._loop.create_future()
            future.add_done_callback(lambda done: done.exception())  # nobody waits for it
            work = _Work(future, function=lambda connection: undo(connection, result))
            self._queue(work, first=True)

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            for alone, works in groupby(group, key=attrgetter("alone")):
                if alone:
                    self._run_alone(works)
                else:
                    self._commit(list(works))
            try:
                self._loop.call_soon_threadsafe(self._deliver, group)
            except RuntimeError:  # the loop ended before its writes did
                return

    def _commit(self, group: list[_Work[Any]]) -> None:
        connection = self._connection
        started = time.perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._apply(group)
            self._undo_withdrawn(group)
            connection.execute("COMMIT")
            n_groups, n_works, seconds = self.commits
            seconds += time.perf_counter() - started
            self.commits = Commits(n_groups + 1, n_works + len(group), seconds)
        except Exception as error:  # whatever it was: the thread must live, the group is undone
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for work in group:
                work.error = StoreUnavailableError(f"the write did not become durable: {error}")

    def _undo_withdrawn(self, group: list[_Work[Any]]) -> None:
        """What was given up since it was written does not even become durable.

        Only while the flush itself is under way does it, for as long as it takes to take it back.
        """
        for work in group:
            if work.withdrawn and work.undo is not None and work.result is not None:
                work.undo(self._connection, work.result)
                work.result = None

    def _run_alone(self, works: Iterable[_Work[Any]]) -> None:
        for work in works:
            try:
                work.result = work.function(self._connection) if work.function else None
            except Exception as error:  # as above
                work.error = StoreUnavailableError(f"the store could not do it: {error}")

    def _apply(self, group: list[_Work[Any]]) -> None:
        start = 0
        while start < len(group):
            work = group[start]
            statement, end = work.statement, start + 1
            if work.withdrawn:
                pass
            elif work.function is not None:
                self._call(work, work.function)
            elif statement is not None:
                while end < len(group) and _joins(group[end], statement):
                    end += 1
                _insert(self._connection, statement, group[start:end])
            start = end

    def _call(self, work: _Work[Any], function: Callable[[sqlite3.Connection], Any]) -> None:
        self._connection.execute("SAVEPOINT work")
        try:
            work.result = function(self._connection)
        except Exception as error:
            if _store_failed(error):
                raise
            work.error = error
            self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")


def _joins(work: _Work[Any], statement: str) -> bool:
    return work.statement == statement and not work.withdrawn


def _insert(connection: sqlite3.Connection, statement: str, works: list[_Work[Any]]) -> None:
    """Insert rows, and note their places."""
    places = insert_rows(connection, statement, [work.row for work in works])
    for place, work in zip(places, works, strict=True):
        work.result = place


def insert_rows(
    connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
) -> list[int]:
    """Insert rows in few steps; those of a step are neighbours, or it fails as a whole.

    With each step SQLite lets go of the interpreter, and has to wait until the event loop gives it
    back, which costs more than the row itself.

    Args:
        connection: In a transaction.
        statement: An INSERT that ends in ``VALUES (?, ..., ?)``.
        rows: What the question marks stand for.

    Returns:
        Their places in the table.
    """
    places: list[int] = []
    while len(places) < len(rows):
        start = len(places)
        n_rows = min(LARGEST_INSERT, 1 << (len(rows) - start).bit_length() - 1)
        values = chain.from_iterable(rows[start : start + n_rows])
        cursor = connection.execute(_inserting(statement, n_rows), tuple(values))
        last = cursor.lastrowid or 0
        places += range(last - n_rows + 1, last + 1)
    return places


@lru_cache(64)
def _inserting(statement: str, n_rows: int) -> str:
    """The statement for so many rows; powers of two, so that few different ones are prepared."""
    head, marks = statement.split(" VALUES ")
    return f"{head} VALUES {', '.join([marks] * n_rows)}"


def _store_failed(error: Exception) -> bool:
    """Whether it is the disk or a lock, and so the whole group, rather than this one write."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    )


def _finish(work: _Work[Any]) -> None:
    """Tell who waits; nothing that goes wrong here may keep back the rest of the group."""
    error = work.error
    if error is None and work.on_commit is not None:
        try:
            work.on_commit(work.result)
        except Exception as raised:
            error = raised
    if work.future.done():  # cancelled, or given up
        return
    if error is not None:
        work.future.set_exception(error)
    else:
        work.future.set_result(work.result)
