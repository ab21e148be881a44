"""Backup, restore and doctor: the drill, while the service runs and after it broke."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with decisions and rewards, and a backup of it from while it ran."""
    folder = tmp_path_factory.mktemp("shop")
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
    return folder


@pytest.fixture
def lived(shop: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(shop, tmp_path / "shop"))


def test_a_restored_backup_comes_to_the_same_model(lived: Path, tmp_path: Path) -> None:
    other = tmp_path / "drill"
    other.mkdir()
    write_configuration(other, configuration())
    done = segue(other, "restore", lived / "b.db")
    assert done.exit_code == 0, done.output
    restored = fold(other)
    with closing(sqlite3.connect(other / "segue.db")) as store:
        for table in ("models", "profiles", "aliases", "state"):
            store.execute(f"DELETE FROM {table}")
        store.commit()
    replayed, original = fold(other), fold(lived)
    assert restored["learned_through"] == 30
    assert restored.keys() == replayed.keys() == original.keys()
    for name, value in restored.items():
        np.testing.assert_array_equal(value, replayed[name], err_msg=name)
        np.testing.assert_array_equal(value, original[name], err_msg=name)


def test_a_store_is_replaced_only_when_told_and_kept_beside(lived: Path) -> None:
    backup = lived / "b.db"
    refused = segue(lived, "restore", backup)
    assert (refused.exit_code, "--replace" in refused.output) == (2, True)
    (lived / "segue.db").write_bytes(b"broken" * 1_000)
    looked = segue(lived, "doctor")
    assert (looked.exit_code, "look" in looked.output) == (1, True)
    done = segue(lived, "restore", backup, "--replace")
    assert done.exit_code == 0, done.output
    assert (lived / f"segue.db{REPLACED}").read_bytes().startswith(b"broken")
    looked = segue(lived, "doctor")
    assert (looked.exit_code, "30 decisions" in looked.output) == (0, True)
    with running_service(lived, configuration()) as client:
        refused = segue(lived, "restore", backup, "--replace")
        assert (refused.exit_code, "another service" in refused.output) == (2, True)
        assert client.post("/v1/decisions", json=ASK).json()["decision_id"]


def test_a_damaged_or_newer_backup_is_refused(lived: Path) -> None:
    backup, before = lived / "b.db", (lived / "segue.db").read_bytes()
    again = segue(lived, "backup", backup)
    assert (again.exit_code, "exists" in again.output) == (2, True)
    with closing(sqlite3.connect(backup)) as store:
        store.execute("UPDATE _sqlite_migrations SET name = 'of tomorrow' WHERE rowid = 3")
        store.commit()
    refused = segue(lived, "restore", backup, "--replace")
    assert (refused.exit_code, "newer version" in refused.output) == (2, True)
    content = bytearray(backup.read_bytes())
    content[5_000:40_000] = bytes(35_000)
    backup.write_bytes(content)
    refused = segue(lived, "restore", backup, "--replace")
    assert refused.exit_code == 2, refused.output
    assert (lived / "segue.db").read_bytes() == before


def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    write_configuration(tmp_path, configuration())
    done = segue(tmp_path, "backup", tmp_path / "b.db")
    assert (done.exit_code, "cannot be read" in done.output) == (2, True)
    assert not list(tmp_path.glob("b.db*"))


def test_doctor_looks_before_the_first_start(tmp_path: Path) -> None:
    write_configuration(tmp_path, configuration())
    done = segue(tmp_path, "doctor")
    assert (done.exit_code, "not there yet" in done.output) == (0, True)
    assert f"SQLite {sqlite3.sqlite_version}" in done.output
