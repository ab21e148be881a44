"""Backup and restore of a store's file: what is refused, what is kept, what is never half done."""

import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from api.storage import backup
from api.storage.backup import back_up, contents
from api.storage.base import EventRow, StoreError
from api.storage.restore import KEPT, restore
from api.storage.sqlite import SQLiteStore


def fill(path: Path, n_events: int, start: int = 0, body: str = "{}") -> None:
    """Append events to a store, which is closed afterwards."""

    async def work() -> None:
        store = SQLiteStore(path, "crash")
        store.start(asyncio.get_running_loop())
        rows = [
            EventRow(f"m{number}", "ann", "Page Viewed", 0, 0, body)
            for number in range(start, start + n_events)
        ]
        await store.append_events(rows, [()] * n_events, lambda _: None)
        await store.close()

    asyncio.run(work())


def message_ids(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT message_id FROM events")}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    fill(tmp_path / "s.db", 3)
    return tmp_path / "s.db"


def test_a_copy_is_one_file_that_only_its_owner_may_read(store: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "copy.db"
    held = back_up(store, target)
    assert held.rows["events"] == held.through["events"] == 3
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]
    assert message_ids(target) == {"m0", "m1", "m2"}


def test_a_backup_is_of_one_instant_whatever_is_written_meanwhile(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied page by page, between commits that change pages copied already and those to come."""
    monkeypatch.setattr(backup, "PAGES_AT_ONCE", 1)
    fill(store, 300, start=3, body="x" * 500)
    n_steps = 0
    with closing(sqlite3.connect(store, isolation_level=None)) as writer:

        def change(_: int, __: int) -> None:
            nonlocal n_steps
            n_steps += 1
            writer.execute("UPDATE events SET body = ?", ("y" * 400,))
            writer.execute(
                "INSERT INTO events VALUES (NULL, ?, 'ann', 'Page Viewed', 0, 0, '', NULL)",
                (f"later{n_steps}",),
            )

        back_up(store, tmp_path / "copy.db", progress=change)
    assert n_steps > 40
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        bodies = {row[0] for row in copy.execute("SELECT body FROM events WHERE seq > 3")}
    assert bodies == {"x" * 500}
    assert message_ids(tmp_path / "copy.db") == {f"m{number}" for number in range(303)}


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(
    store: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match="--force"):
        back_up(store, target)
    assert target.read_text() == "precious"
    assert back_up(store, target, force=True).rows["events"] == 3
    with pytest.raises(StoreError, match="the store itself"):
        back_up(store, store, force=True)


@pytest.mark.parametrize("target", ["absent/copy.db", "s.db.lock/copy.db"])
def test_a_target_that_cannot_be_written_is_named(store: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(store, tmp_path / target)


def test_a_copy_that_differs_is_never_given_the_name(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = backup._copy

    def loses_a_row(*given: object) -> object:
        held = copied(*given)  # type: ignore[arg-type]  # as given
        with closing(sqlite3.connect(str(given[1]))) as copy:
            copy.execute("DELETE FROM events WHERE seq = 2")
            copy.commit()
        return held

    monkeypatch.setattr(backup, "_copy", loses_a_row)
    with pytest.raises(StoreError, match="differs from the store"):
        back_up(store, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))


def test_a_restored_store_is_the_one_that_was_backed_up(store: Path, tmp_path: Path) -> None:
    back_up(store, tmp_path / "copy.db")
    fill(store, 2, start=3)
    restored = restore(tmp_path / "copy.db", store, force=True)
    assert restored.contents.rows["events"] == 3
    assert message_ids(store) == {"m0", "m1", "m2"}
    assert restored.kept == store.with_name(store.name + KEPT)
    assert len(message_ids(restored.kept)) == 5
    fill(store, 1, start=9)  # and goes on from there


def test_restoring_into_nothing_needs_no_force(store: Path, tmp_path: Path) -> None:
    back_up(store, tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", tmp_path / "new.db").kept is None
    assert message_ids(tmp_path / "new.db") == {"m0", "m1", "m2"}
    with pytest.raises(StoreError, match="--force"):
        restore(tmp_path / "copy.db", tmp_path / "new.db")


def test_a_store_in_use_is_not_replaced(store: Path, tmp_path: Path) -> None:
    back_up(store, tmp_path / "copy.db")
    running = SQLiteStore(store, "crash")
    with pytest.raises(StoreError, match="another service"):
        restore(tmp_path / "copy.db", store, force=True)
    asyncio.run(running.close())


def test_a_damaged_store_is_replaced_and_nothing_of_it_thrown_away(
    store: Path, tmp_path: Path
) -> None:
    back_up(store, tmp_path / "copy.db")
    store.write_bytes(b"damaged")
    store.with_name("s.db-wal").write_bytes(b"its log")
    restored = restore(tmp_path / "copy.db", store, force=True)
    assert restored.kept is not None
    assert restored.kept.read_bytes() == b"damaged"
    assert restored.kept.with_name(restored.kept.name + "-wal").read_bytes() == b"its log"
    assert message_ids(store) == {"m0", "m1", "m2"}


def test_the_log_of_a_store_that_was_moved_away_does_not_join_a_backup(
    store: Path, tmp_path: Path
) -> None:
    back_up(store, tmp_path / "copy.db")
    store.unlink()
    store.with_name("s.db-wal").write_bytes(b"of another file")
    restore(tmp_path / "copy.db", store)
    assert not store.with_name("s.db-wal").exists()


def broken(path: Path, how: str) -> None:
    if how == "flipped":
        content = bytearray(path.read_bytes())
        content[8192:12288] = b"\xff" * 4096
        path.write_bytes(content)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "no database":
        path.write_bytes(b"PK" * 2048)
    else:
        with closing(sqlite3.connect(path)) as connection:
            if how == "no store":
                connection.execute("DELETE FROM _sqlite_migrations")
            else:
                connection.execute(
                    "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
                    "VALUES ('segue', 'of_tomorrow', '')"
                )
            connection.commit()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("flipped", "damaged"),
        ("cut", "damaged"),
        ("no database", "damaged"),
        ("no store", "no store"),
        ("newer", "newer version"),
    ],
)
def test_a_backup_that_is_none_changes_nothing(
    store: Path, tmp_path: Path, how: str, told: str
) -> None:
    back_up(store, tmp_path / "copy.db")
    broken(tmp_path / "copy.db", how)
    before = store.read_bytes()
    with pytest.raises(StoreError, match=told):
        restore(tmp_path / "copy.db", store, force=True)
    assert store.read_bytes() == before
    assert not list(tmp_path.glob("s.db.*restor*"))


def test_who_was_erased_after_the_backup_is_told(store: Path, tmp_path: Path) -> None:
    back_up(store, tmp_path / "copy.db")
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("INSERT INTO erasures VALUES ('receipt-7', 1, '{}')")
        connection.commit()
    assert restore(tmp_path / "copy.db", store, force=True).erased_since == ("receipt-7",)


def test_backups_at_once_do_not_meet(store: Path, tmp_path: Path) -> None:
    """Two of them to two names, beside each other."""
    targets = [tmp_path / "a.db", tmp_path / "b.db"]
    threads = [threading.Thread(target=back_up, args=(store, target)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(targets[0]).rows == contents(targets[1]).rows
