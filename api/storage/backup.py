"""A copy of the store in one file, taken beside a running service.

Beside the writer, on a connection of its own: the copy is of one instant, at which everything that
had been acknowledged was in the log, and writes go on meanwhile. Models and profiles are in the
store, so the copy is all that a service needs besides its configuration.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from api.storage.base import StoreError
from api.storage.migrations import applied_steps, refuse_newer
from api.storage.reading import reading

LOG_TABLES = ("events", "decisions", "rewards")
SNAPSHOT_TABLES = ("profiles", "models", "segmentations")
PAGES_AT_ONCE = 1024
PAUSE_SECONDS = 0.002
"""After each step of 4 MB: the service's own reads and flushes come in between."""
FLUSHED_STEPS = 4
"""Steps between flushes, so that the last one does not hold up the service's."""
OWNER_ONLY = 0o600

Progress = Callable[[int, int], None]
"""Told how many pages are copied, and of how many."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a store's file holds.

    Args:
        rows: Number of rows of each table of the log and of the snapshots.
        through: Place of the last row that each table of the log ever had.
        steps: Names of the schema steps that it has.
        n_bytes: Size of the file.
    """

    rows: Mapping[str, int]
    through: Mapping[str, int]
    steps: tuple[str, ...]
    n_bytes: int


def back_up(
    store: Path, target: Path, *, force: bool = False, progress: Progress = lambda done, of: None
) -> Contents:
    """Copy a store, check the copy, and only then give it its name.

    Args:
        store: The store's file; a service may be running on it.
        target: The file to write, readable by its owner only: it holds personal data.
        force: Replace a file of that name.
        progress: Called after each few megabytes.

    Returns:
        What the copy holds, which is what the store held when it began.

    Raises:
        StoreError: The store cannot be read, the target cannot be written or is there already, or
            the copy is not what it should be; then there is no target.
    """
    if target.exists() and not force:
        raise StoreError(f"{target} is there already; give another name, or --force to replace it")
    if target.resolve() == store.resolve():
        raise StoreError(f"{target} is the store itself; give another name")
    partial = target.with_name(target.name + ".partial")
    make_private(partial)
    try:
        held = _copy(store, partial, progress)
        found = contents(partial)
        if (found.rows, found.through, found.steps) != (held.rows, held.through, held.steps):
            raise StoreError(f"{target}: the copy differs from the store; try again")
        flush(partial)
        partial.replace(target)
        flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target} cannot be written: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return found


def contents(path: Path) -> Contents:
    """What a file holds, after every page of it was checked.

    Raises:
        StoreError: It is no store, is damaged, or was written by a newer version.
    """
    with reading(path) as connection:
        try:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path} is damaged: {error}; take another backup") from None
        if problems != ["ok"]:
            found = "; ".join(" ".join(one.split()) for one in problems)
            raise StoreError(f"{path} is damaged: {found:.200}; take another backup")
        return _held(connection, path)


def make_private(path: Path) -> None:
    """Make an empty file that only its owner may read; one of that name goes.

    Raises:
        StoreError: It cannot be made.
    """
    try:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(store: Path, partial: Path, progress: Progress) -> Contents:
    with reading(store) as source:
        source.isolation_level = None
        source.execute("BEGIN")  # one state of the file, whatever a service commits meanwhile
        held = _held(source, store)
        try:
            with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")  # it is flushed here, and checked
                source.backup(copy, pages=PAGES_AT_ONCE, progress=_paced(partial, progress))
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        except sqlite3.Error as error:
            raise StoreError(f"{store} could not be copied to {partial}: {error}") from None
    return held


def _paced(partial: Path, progress: Progress) -> Callable[[int, int, int], None]:
    n_steps = 0

    def step(_: int, remaining: int, total: int) -> None:
        nonlocal n_steps
        n_steps += 1
        if n_steps % FLUSHED_STEPS == 0:
            flush(partial)
        progress(total - remaining, total)
        time.sleep(PAUSE_SECONDS)

    return step


def _held(connection: sqlite3.Connection, path: Path) -> Contents:
    database = Database(connection)
    try:
        refuse_newer(database)
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from None
    steps = tuple(applied_steps(database))
    if not steps:
        raise StoreError(f"{path} is no store: it has no schema step; give a backup's file")
    tables = (*LOG_TABLES, *SNAPSHOT_TABLES)
    rows = {
        table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # names of our own
        for table in tables
    }
    through = dict.fromkeys(LOG_TABLES, 0)
    for table in LOG_TABLES:
        last = connection.execute(f"SELECT max(seq) FROM {table}").fetchone()[0]  # noqa: S608  # as above
        through[table] = int(last or 0)
    return Contents(rows, through, steps, path.stat().st_size)
