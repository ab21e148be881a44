"""A store opened to be read beside a running service, for the commands that look at it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from api.storage.base import StoreError


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
