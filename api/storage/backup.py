"""Backups of a store: taken beside a running service, checked, and put back.

A backup is one read transaction copied: the store as it was at one instant, with the log and the
snapshots of it. What was acknowledged afterwards is not in it.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from api.storage.base import StoreError
from api.storage.migrations import unknown_steps
from api.storage.reading import reading
from api.storage.sqlite import lock_store

TABLES = ("events", "decisions", "rewards", "dead_letters")
SIDE_FILES = ("-wal", "-shm")
REPLACED = ".replaced"


class Contents(NamedTuple):
    """What is in a store: the number of rows, by table, and its size in bytes."""

    rows: dict[str, int]
    n_bytes: int


def back_up(database: Path, target: Path) -> Contents:
    """Copy a store while a service may be using it.

    Args:
        database: The store's file.
        target: Must not exist yet.

    Raises:
        StoreError: It exists, cannot be written, or the store is damaged; then nothing is left.
    """
    if target.exists():
        raise StoreError(f"{target} exists: name another file, or take it away first")
    partial = target.with_name(target.name + ".partial")
    try:
        with reading(database) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without any beside it
        contents = check(partial)
        _flush(partial)
        partial.rename(target)
        _flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target} cannot be written: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return contents


def restore(backup: Path, database: Path, *, replace: bool) -> Contents:
    """Put a backup in the place of a store.

    Args:
        backup: From `back_up`.
        database: The store's file. What was there is kept beside it, named `.replaced`.
        replace: Whether there may be one.

    Raises:
        StoreError: The backup is damaged or of a newer version, there is a store already, or a
            service uses it.
    """
    contents = check(backup)
    with lock_store(database.with_name(database.name + ".lock")):
        if database.exists() and not replace:
            raise StoreError(f"{database} exists: --replace puts the backup in its place")
        partial = database.with_name(database.name + ".partial")
        try:
            shutil.copyfile(backup, partial)
            _flush(partial)
            for side in ("", *SIDE_FILES):
                path = database.with_name(database.name + side)
                if path.exists():
                    path.rename(database.with_name(database.name + REPLACED + side))
            partial.rename(database)
            _flush(database.parent)
        except OSError as error:
            raise StoreError(f"{database} cannot be written: {error}") from None
    return contents


def check(path: Path) -> Contents:
    """What is in a store, after a look at all of it.

    Raises:
        StoreError: It is none, is damaged, or of a newer version.
    """
    with reading(path) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"{path} is damaged: {verdict}")
        newer = unknown_steps(Database(connection))
        if newer:
            raise StoreError(f"{path} is of a newer version: it has the schema step {newer[0]!r}")
        rows = {
            table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # our own
            for table in TABLES
        }
    sides = [path.with_name(path.name + side) for side in ("", *SIDE_FILES)]
    return Contents(rows, sum(side.stat().st_size for side in sides if side.exists()))


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
