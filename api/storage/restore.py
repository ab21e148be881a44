"""A backup back into the place of the store.

Where no service runs. What was there before is kept beside it, and at every instant one whole store
has the name. Models and profiles that the backup holds are folded on from the log at the next
start, so that a service comes to the state of the backup's instant.
"""

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from api.storage.backup import Contents, contents, flush, make_private
from api.storage.base import StoreError
from api.storage.lock import lock_store

KEPT = ".before-restore"
BESIDE = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore.

    Args:
        contents: What the store holds now.
        kept: Where the store that was there before is; None where there was none.
        erased_since: Receipts of erasures that the backup does not know: those people are in it.
    """

    contents: Contents
    kept: Path | None
    erased_since: tuple[str, ...]


def restore(backup: Path, store: Path, *, force: bool = False) -> Restored:
    """Put a backup in the place of the store.

    Args:
        backup: A file that `back_up` wrote; it stays.
        store: The store's file, as the configuration names it.
        force: Also where there is a store; that is kept under another name.

    Raises:
        StoreError: The backup is damaged, no store, or of a newer version; a service runs on the
            store, or there is one and it was not to be replaced. Then nothing has changed.
    """
    found = contents(backup)
    store = store.resolve()
    if backup.resolve() == store:
        raise StoreError(f"{backup} is the store itself; give a backup's file")
    with closing(lock_store(store)):
        if store.exists() and not force:
            raise StoreError(
                f"{store} is there already; give --force to replace it (it is kept beside)"
            )
        arriving = store.with_name(store.name + ".restoring")
        try:
            _bring(backup, arriving)
            if contents(arriving).rows != found.rows:
                raise StoreError(f"{arriving}: the copy differs from the backup; try again")
            missed = _erased_since(store, backup)
            kept = _keep(store)
            arriving.replace(store)
            flush(store.parent)
        except OSError as error:
            raise StoreError(f"{store} cannot be restored: {error}") from None
        finally:
            arriving.unlink(missing_ok=True)
    return Restored(found, kept, missed)


def _bring(backup: Path, arriving: Path) -> None:
    make_private(arriving)
    shutil.copyfile(backup, arriving)
    flush(arriving)


def _keep(store: Path) -> Path | None:
    """Give the store that is there a second name, with what its log has not given to it yet."""
    if not store.exists():
        _drop_beside(store)  # left by a store that was moved away: it must not join another file
        return None
    with contextlib.suppress(sqlite3.Error):
        _fold(store)
    kept = store.with_name(store.name + KEPT)
    _drop_beside(kept)
    kept.unlink(missing_ok=True)
    os.link(store, kept)
    for suffix in BESIDE:  # of a damaged store: nothing of it is thrown away
        beside = store.with_name(store.name + suffix)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + suffix))
    return kept


def _fold(store: Path) -> None:
    """Fold the write-ahead log into the file, where it is one that can be read."""
    uri = store.as_uri()
    with closing(sqlite3.connect(f"{uri}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    with closing(sqlite3.connect(f"{uri}?mode=rw", uri=True)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _drop_beside(path: Path) -> None:
    for suffix in BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _erased_since(store: Path, backup: Path) -> tuple[str, ...]:
    """Receipts that the store has and the backup has not."""
    try:
        return tuple(sorted(_receipts(store) - _receipts(backup)))
    except sqlite3.Error:  # no store there, a damaged one, or one of before erasures
        return ()


def _receipts(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT receipt_id FROM erasures")}
