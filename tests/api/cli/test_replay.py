"""`segue replay`: one decision, a sample, or all; what was changed is told and ends with 1."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from tests.api.loop.shops import COMMON, open_for, shop
from tests.api.loop.test_engine import run

PLACEMENTS: list[dict[str, Any]] = [
    {**COMMON, "name": "home", "policy": {"kind": "softmax", "temperature": 1.0}},
    {**COMMON, "name": "never", "condition": "context.hour > 99"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    run(shop(folder, PLACEMENTS), lambda engine: open_for(engine, 40, seed=1))
    (folder / "segue.toml").write_text(f'service.database = "{folder / "s.db"}"\n')
    return folder


def replayed(folder: Path, *arguments: str) -> Result:
    command = ["replay", *arguments, "--config", str(folder / "segue.toml")]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"})


def last_id(folder: Path, placement: str) -> str:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        sql = "SELECT decision_id FROM decisions WHERE placement = ? ORDER BY seq DESC"
        (found,) = store.execute(sql, (placement,)).fetchone()
        return str(found)


def test_one_decision_is_identical(folder: Path) -> None:
    result = replayed(folder, last_id(folder, "home"))
    assert result.exit_code == 0, result.output
    assert "identical, by the model made from" in result.output
    result = replayed(folder, last_id(folder, "never"))
    assert "identical, the default" in result.output


def test_all_are_identical_and_counted_by_placement(folder: Path, tmp_path: Path) -> None:
    result = replayed(folder, "--all", "--json", str(tmp_path / "r.json"))
    assert result.exit_code == 0, result.output
    assert result.output.count("100.00%") == 2
    written = json.loads((tmp_path / "r.json").read_text())
    assert set(written["placements"]) == {"home", "never"}
    assert written["placements"]["home"]["identical"] > 40
    assert written["decisions"] == []


def test_a_sample_of_one_placement(folder: Path) -> None:
    result = replayed(folder, "--sample", "7", "--placement", "home", "--from-rewards")
    assert result.exit_code == 0, result.output
    assert "│ home      │         7 │         7 │" in result.output
    assert "never" not in result.output


def test_what_was_changed_is_told_and_ends_with_1(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes((folder / "s.db").read_bytes())
    (tmp_path / "segue.toml").write_text(f'service.database = "{tmp_path / "s.db"}"\n')
    decision_id = last_id(tmp_path, "home")
    with closing(sqlite3.connect(tmp_path / "s.db")) as store, store:
        sql = "UPDATE decisions SET probability = 0.123 WHERE decision_id = ?"
        store.execute(sql, (decision_id,))
    for asked in (["--all"], [decision_id]):
        result = replayed(tmp_path, *asked, "--json", str(tmp_path / "r.json"))
        assert result.exit_code == 1
        assert f"{decision_id}, home." in result.output
        assert "probability: logged 0.123, derived 0." in result.output
        (told,) = json.loads((tmp_path / "r.json").read_text())["decisions"]
        assert (told["decision_id"], told["verdict"]) == (decision_id, "different")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give either the id of a decision, or --all, or --sample N"),
        (["--all", "--sample", "3"], "give either"),
        (["0" * 32], "no such decision in the log"),
        (["--all", "--placement", "hone"], "the log has no decision of placement 'hone'"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(
    folder: Path, arguments: list[str], complaint: str
) -> None:
    result = replayed(folder, *arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_an_older_store_says_what_helps(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db")) as store:
        store.execute("CREATE TABLE decisions (seq INTEGER)")
    (tmp_path / "segue.toml").write_text(f'service.database = "{tmp_path / "s.db"}"\n')
    result = replayed(tmp_path, "--all")
    assert result.exit_code == 2
    assert "start the service on it" in result.output
