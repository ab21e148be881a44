"""A store opened to be read beside its writer: by commands that look at it, and by the service."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from api.storage.base import StoreError, StoreUnavailableError

T = TypeVar("T")
WAIT_MS = 2_000


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, for as long as the block lasts.

    Args:
        path: The store's file.

    Raises:
        StoreError: There is no such file, or it is no store of this version; in the block as well.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(
            f"{path} cannot be read as a store of this version: {error}; start the service on it "
            "once, which brings an older one up to date"
        ) from None


async def read_beside(path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    """Ask on a connection of its own, on a thread, all of it of one instant: the writer goes on.

    Args:
        path: The store's file, absolute.
        question: Of a connection in a transaction, which can only read.

    Raises:
        StoreUnavailableError: The log cannot be read.
    """
    try:
        return await asyncio.to_thread(_ask, path, question)
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(f"the log cannot be read: {error}") from None


def _ask(path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    uri = f"{path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
        connection.execute("BEGIN")
        return question(connection)
