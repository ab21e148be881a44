"""A power cut: every write that was not flushed is lost, and nothing that was acknowledged is.

A small library, preloaded into the service, keeps what each file was at its last flush; after a
kill the files are put back to that, which is the worst that a power cut may leave.
"""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.api.test_crash import (
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
N_CUTS = 2

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="needs Linux and a C compiler, to see what was flushed",
)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "power_loss.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def live_until_the_power_goes(folder: Path, port: int, shim: Path, books: Books) -> None:
    with service(folder, port, preload=shim) as process:
        client = Client(port, 0, books)
        client.start()
        while len(books.decided) < 20 and client.is_alive():
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        client.join()
    for path in [path for path in folder.glob("segue.db*") if path.suffix != ".synced"]:
        path.unlink()
        synced = path.with_name(f"{path.name}.synced")
        if synced.exists():  # of a file that was there to the end
            shutil.copy(synced, path)


def test_nothing_acknowledged_is_lost(tmp_path: Path, shim: Path) -> None:
    port, books = free_port(), Books()
    configure(tmp_path, port)
    for _ in range(N_CUTS):
        live_until_the_power_goes(tmp_path, port, shim, books)
        assert len(books.decided) >= 20
    settle(tmp_path, port, [books])
    check_log(tmp_path / "segue.db", [books])
    check_folds(tmp_path)


def test_with_durability_crash_the_last_commits_are(
    tmp_path: Path, shim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control: the same cut is seen where flushes are left to the operating system."""
    port, books = free_port(), Books()
    configure(tmp_path, port, durability="crash")
    live_until_the_power_goes(tmp_path, port, shim, books)
    with service(tmp_path, port):  # it starts on what is left
        pass
    with closing(sqlite3.connect(tmp_path / "segue.db")) as store:
        kept = {row[0] for row in store.execute("SELECT decision_id FROM decisions")}
    lost = books.decided - kept
    with capsys.disabled():
        print(f"\nlost with durability crash: {len(lost)} of {len(books.decided)} decisions")
    assert lost
