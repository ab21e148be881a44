"""`segue evaluate --estimate-propensities`: logs in which nobody wrote propensities down."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app


def segue(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def unexplained(folder: Path) -> Path:
    """A log whose choices followed one number, and nobody wrote down how often."""
    rng = np.random.default_rng(2)
    seen = rng.normal(500.0, 100.0, 3_000)
    action = rng.random(3_000) < 1.0 / (1.0 + np.exp((500.0 - seen) / 100.0))
    # What is seen helps both actions alike: the plain mean of b's rows is too high.
    reward = (rng.random(3_000) < 0.2 + 0.3 * (seen > 500.0) + 0.2 * action).astype(int)
    rows = zip(action, reward, seen, strict=True)
    lines = "".join(f"{'ab'[int(a)]},{r},{x:.3f},web\n" for a, r, x in rows)
    path = folder / "log.csv"
    path.write_text("action,reward,context.seen,channel\n" + lines)
    return path


def test_estimated_propensities_are_right_and_said_in_every_output(tmp_path: Path) -> None:
    path, data, page = unexplained(tmp_path), tmp_path / "e.json", tmp_path / "e.html"
    arguments = ["--log", path, "--policy", "always:b", "--by", "channel"]
    refused = segue(*arguments)
    assert refused.exit_code == 2
    assert "no column 'propensity'" in refused.stderr
    result = segue(*arguments, "--estimate-propensities", "--json", data, "--out", page)
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    interval = found["results"][0]["estimates"][0]["interval"]
    assert interval["low"] < 0.55 < interval["high"] < 0.6
    (warning,) = found["warnings"]
    assert warning.startswith("propensities are estimated from the log, not logged")
    assert f"log.csv: {warning}" in " ".join(result.output.split())
    assert f'<p class="alarm">{warning}' in page.read_text()


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("action,reward,propensity", "a,1,0.5", "the log has the column 'propensity'"),
        ("action,reward,logging.a", "a,1,0.5", "the log has the column 'logging.a'"),
        ("action,reward,context.x", "a,1,", "must be finite numbers"),
        ("action,reward,context.x", "a,1,2", "fewer than two actions were shown"),
    ],
)
def test_propensities_that_need_or_allow_no_estimate_are_refused(
    tmp_path: Path, header: str, row: str, told: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"{header}\n" + f"{row}\n" * 20)
    result = segue("--log", path, "--policy", "uniform", "--estimate-propensities")
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_propensities_are_estimated_of_tables_only(tmp_path: Path) -> None:
    option = ["--policy", "uniform", "--estimate-propensities"]
    assert "only .csv and .parquet can" in segue("--log", tmp_path / "x.npz", *option).stderr
    assert "the service logs every propensity" in segue("--placement", "home", *option).stderr
