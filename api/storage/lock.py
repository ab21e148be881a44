"""The lock file beside a store: one service, or one command that changes the file, at a time."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

from api.storage.base import StoreError


def holder_of(store: Path) -> str | None:
    """Which process has a store's lock, without taking it; None where nobody has."""
    path = store.with_name(store.name + ".lock")
    try:
        with path.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read().strip() or "?"
    except OSError:
        pass
    return None


def lock_store(store: Path) -> IO[str]:
    """Take the lock of a store's file; closing what is returned lets go of it.

    Args:
        store: The database file; the lock is beside it, under the same name with `.lock`.

    Raises:
        StoreError: Another process has it, or the lock file cannot be opened.
    """
    path = store.with_name(store.name + ".lock")
    try:
        handle = path.open("a+")
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = path.read_text(encoding="utf-8").strip()
        handle.close()
        raise StoreError(
            f"{path}: another service (process {holder or '?'}) uses this store; stop it first"
        ) from None
    with contextlib.suppress(OSError):
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
    return handle
