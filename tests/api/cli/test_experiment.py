from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from api.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path


def test_an_experiment_writes_its_report(tmp_path: Path) -> None:
    words = ["experiment", "--policies", "nothing,random", "--scenarios", "steady,drift"]
    size = ["--seeds", "1", "--shoppers", "10", "--days", "5", "--workers", "1"]
    done = CliRunner().invoke(app, [*words, *size, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report.html").exists()
    assert len(list(tmp_path.glob("*.zip"))) == 4


def test_a_policy_that_is_none_is_said() -> None:
    done = CliRunner().invoke(app, ["experiment", "--policies", "nothing,best"])
    assert done.exit_code == 1
    assert "must be nothing, random, always:ACTION" in " ".join(done.output.split())
