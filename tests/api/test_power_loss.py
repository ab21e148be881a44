"""The power goes under load: what was not flushed is gone, and all the rest is as it was.

A shim keeps every file of the store as it was at its last flush; the service is killed, and goes on
from those copies.
"""

import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.api.test_crash import (
    N_CLIENTS,
    Books,
    Client,
    check_folds,
    check_log,
    configure,
    free_port,
    service,
    settle,
)

SOURCE = Path(__file__).with_name("power_loss.c")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMPILER is None, reason="needs a C compiler for the shim"),
]


def compiled(folder: Path) -> Path:
    library = folder / "power_loss.so"
    command = [str(COMPILER), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def cut(tmp_path: Path, durability: str) -> tuple[Path, int, list[Books]]:
    """Load a service until the power goes; where its files are then, and what clients know."""
    durable = tmp_path / "durable"
    durable.mkdir()
    port = free_port()
    configure(tmp_path, port, durability=durability)
    books = [Books() for _ in range(N_CLIENTS)]
    shim = {"LD_PRELOAD": str(compiled(tmp_path)), "DURABLE": str(durable)}
    with service(tmp_path, port, shim) as process:  # closing it flushes an empty store
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with service(tmp_path, port, shim) as process:
        clients = [Client(port, number, book) for number, book in enumerate(books)]
        for client in clients:
            client.start()
        while min(len(book.observed) for book in books) < 12:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        for client in clients:
            client.join()
    shutil.copy(tmp_path / "segue.toml", durable)
    return durable, port, books


def known(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in store.execute("SELECT decision_id FROM decisions")}


def test_with_power_loss_durability_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    folder, port, books = cut(tmp_path, "power-loss")
    settle(folder, port, books)
    check_log(folder / "segue.db", books)
    check_folds(folder)


def test_with_crash_durability_the_last_commits_are_lost_and_the_rest_is_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _, books = cut(tmp_path, "crash")
    told = set().union(*(book.decided for book in books))
    missing = told - known(folder / "segue.db")
    with capsys.disabled():
        print(f"\npower loss, durability crash: {len(missing)} of {len(told)} decisions are gone")
    assert missing, "the shim drops nothing: it proves nothing for the other durability either"
    check_folds(folder)
