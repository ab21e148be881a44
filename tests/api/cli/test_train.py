from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from policy.ppo.network import from_bytes
from simulator.readings import FEATURES

if TYPE_CHECKING:
    from pathlib import Path


def test_a_training_ends_in_a_model_that_an_experiment_takes(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3", reason="needs pip install 'segue[train]'")
    pytest.importorskip("torch", reason="needs pip install 'segue[train]'")
    model = tmp_path / "m.zip"
    words = ["train", "ppo", "--out", str(model), "--frames", "8000", "--shoppers", "64"]
    done = CliRunner().invoke(app, [*words, "--days", "10"])
    assert done.exit_code == 0, done.output
    network = from_bytes(model.read_bytes())
    assert network.feature_names == FEATURES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.zip"]
    words = ["experiment", "--policies", f"nothing,{model}", "--seeds", "1", "--shoppers", "10"]
    done = CliRunner().invoke(app, [*words, "--days", "5", "--out", str(tmp_path / "e")])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "stedy"], "did you mean 'steady'"),
        (["--out", "/nowhere/m.zip"], "its folder does not exist"),
    ],
)
def test_what_cannot_be_trained_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "ppo", "--out", str(tmp_path / "m.zip"), *words])
    assert done.exit_code == 1
    assert message in " ".join(done.output.split())
