"""`segue demo` as a whole: synthetic households through a real server over HTTP."""

import json
import tempfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.cli.demo.command import demo
from tests.simulator.replay.tables import write_households

app = typer.Typer()
app.command()(demo)


def test_synthetic_households_through_a_real_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books balance and the learner beats chance."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_households(tmp_path, n_households=24, n_baskets=40)
    out = tmp_path / "out.json"
    result = CliRunner().invoke(
        app, ["--households", "all", "--data", str(tmp_path), "--json", str(out)]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    rates = {score["policy"]: score["overall"]["value"] for score in report["scores"]}
    assert rates["learned"] > 1.5 * rates["uniformly random"]
    assert report["books"]["client_hits"] == report["books"]["service_hits"]
    assert report["books"]["service_rewards"] == report["n_baskets"] == 24 * 40
    assert report["books"]["defaults"] == 0
    assert sum(segment["size"] for segment in report["segments"]) == 24
    assert "not what a tile caused" in " ".join(result.output.split())
    assert Path(report["database"]).is_file()


@pytest.mark.parametrize("households", ["1", "-3", "many", "2.5", ""])
def test_a_number_of_households_that_makes_no_sense_is_refused(households: str) -> None:
    result = CliRunner().invoke(app, [f"--households={households}"])
    assert result.exit_code == 1
    assert 'it must be "all" or a whole number from 2 on' in " ".join(result.output.split())


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "transactions.parquet does not exist" in " ".join(result.output.split())
