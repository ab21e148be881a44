"""`segue evaluate` on a placement that draws prices out of a range."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.storage.price_log import PriceLog, draws_prices
from policy.ppo.network import untrained
from tests.api.loop.test_pricing import RANGE, decide, logged, run, settings, teach

N = 900


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 visitors who pay up to 10.00, at prices drawn widely, and one yet without a reward."""
    folder = tmp_path_factory.mktemp("priced")

    async def work(engine: Any) -> None:
        await teach(engine, N)
        await decide(engine, "late")

    run(settings(folder, policy={"kind": "squarecb", "gamma_scale": 3.0, "floor": 0.5}), work)
    (folder / "segue.toml").write_text(f'service.database = "{folder / "s.db"}"\n')
    return folder


def segue(folder: Path, *arguments: object) -> Result:
    place = ["--config", folder / "segue.toml", "--placement", "tea"]
    return CliRunner().invoke(app, ["evaluate", *map(str, [*place, *arguments])])


def test_the_store_is_read_as_it_was_drawn(shop: Path) -> None:
    assert draws_prices(shop / "s.db", "tea")
    log = PriceLog(shop / "s.db", "tea")
    assert (log.lowest, log.highest, log.step, log.n_left_out) == (500, 1500, 10, 0)
    (rows,) = log.chunks()
    drawn = logged(shop, "price_cents, density, probability", "visitor <> 'late'")
    assert rows.price.tolist() == [row[0] for row in drawn]
    assert rows.density.tolist() == [row[1] for row in drawn]
    np.testing.assert_allclose(rows.probability, [row[2] for row in drawn])
    assert rows.reward.tolist() == np.where(rows.price <= 1000, rows.price / 100, 0.0).tolist()


def test_prices_and_a_saved_model_are_judged(shop: Path) -> None:
    model, data, page = shop / "mine.zip", shop / "e.json", shop / "e.html"
    export = ["export", "model", "--placement", "tea", "--out", str(model)]
    result = CliRunner().invoke(app, [*export, "-c", str(shop / "segue.toml")])
    assert result.exit_code == 0, result.output
    result = segue(
        shop, "--policy", "price:800", "--policy", "price:1300", "--policy", "logged",
        "--policy", model, "--baseline", "logged", "--by", "day", "--json", data, "--out", page,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    of = {row["policy"]: row for row in found["results"] if row["label"] == "overall"}
    assert all(row["answerable"] for row in of.values()), [row["reasons"] for row in of.values()]
    eight, thirteen = (of[name]["estimates"][0]["interval"] for name in ("price:800", "price:1300"))
    assert eight["low"] < 8.0 < eight["high"]
    assert thirteen["low"] < 0.5
    assert thirteen["high"] < eight["low"]
    assert of["price:800"]["advantage"]["interval"]["low"] > 0.0
    assert of["logged"]["estimates"][0]["value"] == pytest.approx(found["mean_reward"])
    assert of["mine"]["estimates"][0]["estimator"] == "density_ratio"
    assert of["mine"]["mean_weight"] == pytest.approx(1.0, abs=0.2)
    assert any(one.startswith("mine: has learned rewards") for one in found["warnings"])
    text = page.read_text()
    assert "Lift by day" in text
    assert "Overlap by day, in numbers" in text
    largest = max(row["largest_weight"] for row in found["results"] if row["label"] == "day")
    assert f"<td>{largest:,.1f}</td>" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "price:1600"], "price 1600: the log drew none but those from 500 to 1500"),
        (["--policy", "uniform"], "this one chooses among actions; judge price:CENTS"),
        (["--policy", "price:cheap"], "must be a .toml or .zip file"),
        (["--policy", "price:900", "--rewards", "0", "15"], "leave them out"),
        (["--policy", "price:900", "--policy", "price:900"], "two policies have the same name"),
        (["--policy", "price:900", "--baseline", "logged"], "baseline 'logged'"),
    ],
)
def test_what_cannot_be_asked_of_prices_is_refused(
    shop: Path, arguments: list[str], told: str
) -> None:
    result = segue(shop, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_model_over_actions_is_no_policy_over_prices(shop: Path, tmp_path: Path) -> None:
    network = untrained(("age",), ("tea",), np.random.default_rng(0))
    (tmp_path / "m.zip").write_bytes(network.to_bytes())
    result = segue(shop, "--policy", tmp_path / "m.zip")
    assert result.exit_code == 2
    assert "draws no prices out of a range" in " ".join(result.stderr.split())


def test_too_few_rows_near_a_price_are_no_answer(tmp_path: Path) -> None:
    async def work(engine: Any) -> None:
        await teach(engine, 60)

    run(settings(tmp_path), work)
    (tmp_path / "segue.toml").write_text(f'service.database = "{tmp_path / "s.db"}"\n')
    result = segue(tmp_path, "--policy", "price:900")
    assert result.exit_code == 0, result.output
    assert "the log cannot tell" in " ".join(result.output.split())


def test_rows_of_another_grid_are_left_out_and_counted(tmp_path: Path) -> None:
    async def work(engine: Any) -> None:
        await teach(engine, 20)

    run(settings(tmp_path), work)
    run(settings(tmp_path, price_range={**RANGE, "step_cents": 50}), work)
    log = PriceLog(tmp_path / "s.db", "tea")
    assert (log.step, log.n_left_out) == (50, 20)
    assert sum(rows.n_rows for rows in log.chunks()) <= 20
