"""What only the SQLite store can get wrong: files, locks, damage, versions."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from api.storage.base import EventRow, ModelRow, StoreError, StoreUnavailableError
from api.storage.migrations import migrations
from api.storage.sqlite import DAY_US, SQLiteStore


def close(store: SQLiteStore) -> None:
    asyncio.run(store.close())


@pytest.mark.parametrize(("durability", "synchronous"), [("power-loss", 2), ("crash", 1)])
def test_durability_maps_to_synchronous(tmp_path: Path, durability: str, synchronous: int) -> None:
    store = SQLiteStore(tmp_path / "s.db", durability)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    close(store)


def test_a_second_service_on_one_store_is_refused(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "s.db")
    with pytest.raises(StoreError, match="another service"):
        SQLiteStore(tmp_path / "s.db")
    close(store)
    close(SQLiteStore(tmp_path / "s.db"))


def test_a_link_to_the_file_is_the_same_store(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "s.db")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "t.db").symlink_to(tmp_path / "s.db")
    with pytest.raises(StoreError, match="another service"):
        SQLiteStore(tmp_path / "other" / "t.db")
    close(store)


def test_a_damaged_file_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    close(SQLiteStore(path))
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="restore the file from a backup"):
        SQLiteStore(path)


def test_flipped_bytes_in_a_page_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    close(SQLiteStore(path))
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreError, match="restore the file from a backup"):
        SQLiteStore(path)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    close(SQLiteStore(path))
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('segue', 'x', '')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        SQLiteStore(path)


def schema_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') ORDER BY name"
        names = [name for (name,) in connection.execute(sql)]
        return {
            name: connection.execute(f"PRAGMA table_xinfo({name!r})").fetchall()
            or connection.execute(f"PRAGMA index_xinfo({name!r})").fetchall()
            for name in names
        }


STEPS = [step.name for step in migrations.pending(Database(memory=True))]


@pytest.mark.parametrize("last", STEPS)
def test_a_database_of_any_older_version_is_brought_up_to_date(tmp_path: Path, last: str) -> None:
    """With a row of each version in it, which is still there afterwards."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        database = Database(connection)
        migrations.apply(database, stop_before=None if last == STEPS[-1] else after(last))
        connection.execute(
            "INSERT INTO events (message_id, visitor, name, timestamp_us, received_at_us, body) "
            "VALUES ('m', 'ann', 'Page Viewed', 1, 2, '{}')"
        )
    store = SQLiteStore(old)
    assert store.events_after(0, 9) == [(1, "{}")]
    close(store)
    close(SQLiteStore(new))
    assert schema_of(old) == schema_of(new)


def after(step: str) -> str:
    return STEPS[STEPS.index(step) + 1]


def test_a_step_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrations.apply(Database(connection), stop_before="outbox_of_webhooks")
        connection.execute("CREATE TABLE outbox (in_the_way)")
    before = schema_of(path)
    with pytest.raises(StoreError, match="outbox already exists"):
        SQLiteStore(path)
    assert schema_of(path) == before


def test_a_lock_from_outside_fails_the_write_and_passes(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SQLiteStore(path)
    store._connection.execute("PRAGMA busy_timeout = 50")
    row = EventRow("m", "ann", "Page Viewed", 0, 0, "{}")

    async def work() -> None:
        store.start(asyncio.get_running_loop())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            await store.append_events([row], [()], lambda _: None)
        other.execute("ROLLBACK")
        other.close()
        appended = await store.append_events([row], [()], lambda _: None)
        assert appended.seqs == (1,)
        await store.close()

    asyncio.run(work())


def test_the_latest_models_are_kept_and_one_of_each_day(tmp_path: Path) -> None:
    async def save() -> None:
        store = SQLiteStore(tmp_path / "s.db", "crash")
        store.start(asyncio.get_running_loop())
        for through in range(100):
            row = ModelRow("home", "bold@1", through, b"")
            await store.save_models([row], through * DAY_US // 2)
        await store.close()

    asyncio.run(save())
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        rows = connection.execute("SELECT learned_through FROM models ORDER BY 1").fetchall()
    assert [row for (row,) in rows] == sorted({*range(41, 100, 2), *range(95, 100)})
