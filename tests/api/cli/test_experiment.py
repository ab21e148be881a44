from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
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


def test_an_experiment_on_ray_writes_the_same_report(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="works on Ray; the extra [ray]")
    for where in ("local", "ray"):
        words = ["experiment", "--policies", "nothing,random", "--seeds", "1", "--shoppers", "10"]
        words += ["--days", "5", "--workers", "2", "--on", where, "--out", str(tmp_path / where)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert means(tmp_path / "local") == means(tmp_path / "ray")


def means(folder: Path) -> list[float]:
    return [row["mean"] for row in json.loads((folder / "report.json").read_text())]


def test_a_policy_that_is_none_is_said() -> None:
    done = CliRunner().invoke(app, ["experiment", "--policies", "nothing,best"])
    assert done.exit_code == 1
    assert "must be nothing, random, always:ACTION" in " ".join(done.output.split())
