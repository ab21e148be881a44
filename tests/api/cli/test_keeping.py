"""Backup, restore and doctor: the drill, while the service runs and after it broke."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.cli.main import app as cli
from api.storage.backup import REPLACED
from tests.api.service import configuration, running_service, write_configuration
from tests.api.test_crash import fold

ASK = {"visitor": "ann", "placement": "home"}


def segue(folder: Path, *arguments: object) -> Result:
    config = ["--config", str(folder / "segue.toml")]
    return CliRunner().invoke(cli, [*map(str, arguments), *config])


def lived(folder: Path) -> None:
    """A store with decisions, rewards and events, and a backup of it from while it ran."""
    with running_service(folder, configuration()) as client:
        for number in range(30):
            decision = client.post("/v1/decisions", json={**ASK, "visitor": f"v{number % 5}"})
            reward = {"decision_id": decision.json()["decision_id"], "value": number % 2}
            assert client.post("/v1/rewards", json=reward).json()["status"] == "counted"
        done = segue(folder, "backup", folder / "b.db")
        assert done.exit_code == 0, done.output
        assert "30 decisions, 30 rewards" in done.output
        assert client.post("/v1/decisions", json=ASK).json()["decision_id"]
        assert "a service is running" in segue(folder, "doctor").output


def models(folder: Path) -> dict[str, Any]:
    return fold(folder)


def test_a_restored_backup_comes_to_the_same_model(tmp_path: Path) -> None:
    folder, other = tmp_path / "shop", tmp_path / "drill"
    folder.mkdir()
    other.mkdir()
    lived(folder)
    write_configuration(other, configuration())
    done = segue(other, "restore", folder / "b.db")
    assert done.exit_code == 0, done.output
    restored = models(other)
    with closing(sqlite3.connect(other / "segue.db")) as store:
        for table in ("models", "profiles", "aliases", "state"):
            store.execute(f"DELETE FROM {table}")
        store.commit()
    replayed, original = models(other), models(folder)
    assert restored["learned_through"] == 30
    assert restored.keys() == replayed.keys() == original.keys()
    for name, value in restored.items():
        np.testing.assert_array_equal(value, replayed[name], err_msg=name)
        np.testing.assert_array_equal(value, original[name], err_msg=name)


def test_a_store_is_replaced_only_when_told_and_kept_beside(tmp_path: Path) -> None:
    lived(tmp_path)
    backup = tmp_path / "b.db"
    refused = segue(tmp_path, "restore", backup)
    assert (refused.exit_code, "--replace" in refused.output) == (2, True)
    (tmp_path / "segue.db").write_bytes(b"broken" * 1_000)
    looked = segue(tmp_path, "doctor")
    assert (looked.exit_code, "look" in looked.output) == (1, True)
    done = segue(tmp_path, "restore", backup, "--replace")
    assert done.exit_code == 0, done.output
    assert (tmp_path / f"segue.db{REPLACED}").read_bytes().startswith(b"broken")
    looked = segue(tmp_path, "doctor")
    assert (looked.exit_code, "30 decisions" in looked.output) == (0, True)
    with running_service(tmp_path, configuration()) as client:
        refused = segue(tmp_path, "restore", backup, "--replace")
        assert (refused.exit_code, "another service" in refused.output) == (2, True)
        assert client.post("/v1/decisions", json=ASK).json()["decision_id"]


def test_a_damaged_or_newer_backup_is_refused(tmp_path: Path) -> None:
    lived(tmp_path)
    backup, before = tmp_path / "b.db", (tmp_path / "segue.db").read_bytes()
    again = segue(tmp_path, "backup", backup)
    assert (again.exit_code, "exists" in again.output) == (2, True)
    with closing(sqlite3.connect(backup)) as store:
        store.execute("UPDATE _sqlite_migrations SET name = 'of tomorrow' WHERE rowid = 3")
        store.commit()
    refused = segue(tmp_path, "restore", backup, "--replace")
    assert (refused.exit_code, "newer version" in refused.output) == (2, True)
    content = bytearray(backup.read_bytes())
    content[5_000:40_000] = bytes(35_000)
    backup.write_bytes(content)
    refused = segue(tmp_path, "restore", backup, "--replace")
    assert refused.exit_code == 2, refused.output
    assert (tmp_path / "segue.db").read_bytes() == before


def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    write_configuration(tmp_path, configuration())
    done = segue(tmp_path, "backup", tmp_path / "b.db")
    assert (done.exit_code, "cannot be read" in done.output) == (2, True)
    assert not list(tmp_path.glob("b.db*"))


@pytest.mark.parametrize("text", ["not there yet"])
def test_doctor_looks_before_the_first_start(tmp_path: Path, text: str) -> None:
    write_configuration(tmp_path, configuration())
    done = segue(tmp_path, "doctor")
    assert (done.exit_code, text in done.output) == (0, True)
    assert f"SQLite {sqlite3.sqlite_version}" in done.output
