"""`segue export`: a placement's log in every format, and its model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.evaluate.files import LogFile
from api.cli.main import app
from api.storage.decision_log import DecisionLog
from policy import model_file
from policy.ope.slices import joined
from tests.api.loop.shops import COMMON, open_for, shop
from tests.api.loop.test_engine import run

HOME: dict[str, Any] = {
    **COMMON,
    "name": "home",
    "policy": {"kind": "epsilon_greedy", "epsilon": 0.5},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    run(shop(folder, [HOME]), lambda engine: open_for(engine, 60, seed=1))
    (folder / "segue.toml").write_text(f'service.database = "{folder / "s.db"}"\n')
    return folder


def export(folder: Path, *arguments: object) -> Result:
    command = ["export", *map(str, arguments), "--config", str(folder / "segue.toml")]
    return CliRunner().invoke(app, command)


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz", "dsjson"])
def test_a_log_comes_back_as_it_was(folder: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="writes parquet; the extra [parquet]")
    out = folder / f"log.{ending}"
    result = export(folder, "log", "--placement", "home", "--out", out)
    assert result.exit_code == 0, result.output
    log = DecisionLog(folder / "s.db", "home")
    whole, file = joined(log.chunks()), LogFile(out)
    found = joined(file.chunks())
    np.testing.assert_array_equal(found.reward, whole.reward)
    np.testing.assert_array_equal(found.propensity, whole.propensity)
    if ending in ("csv", "parquet"):
        assert found.actions == whole.actions
        np.testing.assert_array_equal(found.action, whole.action)
        np.testing.assert_allclose(found.context, whole.context)
    if ending != "npz":
        assert set(file.context_names()) == set(log.context_names)
    else:
        assert len(file.context_names()) == len(log.context_names)


def test_each_line_of_dsjson_numbers_its_own_actions(folder: Path) -> None:
    out = folder / "own.dsjson"
    assert export(folder, "log", "--placement", "home", "--out", out).exit_code == 0
    whole = joined(DecisionLog(folder / "s.db", "home").chunks())
    for row, line in enumerate(out.read_text().splitlines()):
        said = json.loads(line)
        ids = [one["a"]["id"] for one in said["c"]["_multi"]]
        assert ids == [
            a for a, can in zip(whole.actions, whole.could_show[row], strict=True) if can
        ]
        assert ids[said["_label_Action"] - 1] == whole.actions[whole.action[row]]
        assert said["p"][0] == said["_label_probability"] == whole.propensity[row]


def test_the_latest_model_is_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "home.zip"
    result = export(folder, "model", "--placement", "home", "--out", out)
    assert result.exit_code == 0, result.output
    manifest, _ = model_file.load(out.read_bytes())
    assert (manifest["placement"], manifest["parameters"]) == (
        "home",
        {"kind": "epsilon_greedy", "epsilon": 0.5},
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["log", "--placement", "home", "--out", "x.txt"], "must end in .csv, .parquet"),
        (["log", "--placement", "hoem", "--out", "x.csv"], "it has decisions of: home"),
        (["model", "--placement", "hoem", "--out", "x.zip"], "there are those of: home"),
        (["model", "--placement", "home", "--out", "/none/x.zip"], "No such file"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, arguments: list[str], told: str) -> None:
    result = export(folder, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
