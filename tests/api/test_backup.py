"""A backup while the service runs under load, and the service that starts from it."""

import shutil
import signal
import subprocess
import sys
import time
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
)

SEGUE = [sys.executable, "-m", "api.cli.main"]


def segue(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*SEGUE, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def acknowledged(books: list[Books]) -> list[Books]:
    """What clients had been told at this moment."""
    return [
        Books(decided=set(one.decided), rewarded=dict(one.rewarded), observed=set(one.observed))
        for one in books
    ]


@pytest.mark.slow
def test_a_backup_under_load_restores_to_all_that_was_acknowledged(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "segue.toml"
    configure(tmp_path, port)
    books = [Books() for _ in range(N_CLIENTS)]
    with service(tmp_path, port) as process:
        clients = [Client(port, number, book) for number, book in enumerate(books)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        before = acknowledged(books)
        made = segue("backup", tmp_path / "backup.db", "--config", config)
        refused = segue("restore", tmp_path / "backup.db", "--config", config, "--force")
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
        assert process.wait(timeout=30) == 0
    assert made.returncode == 0, made.stderr
    assert "checked" in made.stdout
    assert refused.returncode == 2
    assert "another service" in " ".join(refused.stderr.split())

    folder = tmp_path / "restored"
    folder.mkdir()
    shutil.copy(config, folder)
    done = segue("restore", tmp_path / "backup.db", "--config", folder / "segue.toml")
    assert done.returncode == 0, done.stderr
    check_log(folder / "segue.db", before)
    check_folds(folder)  # the models and profiles of the backup equal a replay of its log
