"""The people in a SQLite store: found beside the writer, erased by it."""

import asyncio
import mmap
import sqlite3
from asyncio import Future
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from api.storage import erasure, person
from api.storage.base import LearningRow, Specs
from api.storage.reading import read_beside
from api.storage.subject import Person, Receipt, Relearned, Subjects
from api.storage.writer import GroupCommitWriter


class SQLiteSubjects(Subjects):
    """See `Subjects`.

    Args:
        path: The database file.
        connection: The store's own, until the writer has it.
        writer: The running writer.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        writer: Callable[[], GroupCommitWriter],
    ) -> None:
        self._path = path
        self._connection = connection
        self._writer = writer

    async def find(self, visitor: str) -> Person:
        """See `Subjects`."""
        return await read_beside(self._path, lambda connection: person.find(connection, visitor))

    async def rows(self, one: Person) -> dict[str, list[dict[str, Any]]]:
        """See `Subjects`."""
        return await read_beside(self._path, lambda connection: person.rows(connection, one))

    async def lessons(self, one: Person) -> list[LearningRow]:
        """See `Subjects`."""
        return await read_beside(self._path, lambda connection: person.lessons_of(connection, one))

    async def lessons_of_others(
        self, one: Person, placement: str, after: int, limit: int
    ) -> list[LearningRow]:
        """See `Subjects`."""
        return await read_beside(
            self._path,
            lambda connection: person.lessons_of_others(connection, one, placement, after, limit),
        )

    def erase(
        self,
        one: Person,
        asked: str,
        models: Sequence[Relearned],
        now_us: int,
        specs: Specs,
        on_commit: Callable[[Receipt | None], None],
    ) -> Future[Receipt | None]:
        """See `Subjects`."""
        return self._writer().call(
            lambda connection: erasure.erase(connection, one, asked, models, now_us, specs),
            on_commit,
        )

    def receipt(self, visitor: str) -> Future[Receipt | None]:
        """See `Subjects`."""
        return self._writer().call(lambda connection: erasure.receipt_of(connection, visitor))

    async def scrub(self, ids: Sequence[str]) -> bool:
        """See `Subjects`.

        Deleted rows are overwritten at once, but a page that was split may hold a copy of what it
        gave away: where an id is still found, the file is written anew.
        """
        writer = self._writer()
        await writer.alone(_checkpoint)
        needles = [name.encode("utf-8", "surrogatepass") for name in ids]
        files = [self._path, self._path.with_name(self._path.name + "-wal")]
        if not await asyncio.to_thread(lambda: any(_holds(file, needles) for file in files)):
            return False
        await writer.alone(lambda connection: connection.execute("VACUUM"))
        await writer.alone(_checkpoint)
        return True

    def suppressions(self) -> tuple[bytes, dict[bytes, int]]:
        """See `Subjects`."""
        rows = self._connection.execute("SELECT id_hash, erased_at_us FROM suppressions")
        return erasure.key_of(self._connection), {bytes(name): at_us for name, at_us in rows}


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the file and empty it."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    """Whether a file has one of the needles in it."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in needles)
