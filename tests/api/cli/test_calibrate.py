from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from api.cli.main import app
from simulator.calibrate import fidelity as measured
from simulator.scenarios.scenario import load_world
from tests.simulator.calibrate.logs import shop_log

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_csv_becomes_a_world_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "N_GROUPS", 10)
    monkeypatch.setattr(measured, "PRICED_DAYS", 56)
    log, start = shop_log(300), date(2024, 1, 1)
    lines = [
        f"c{who},{start + timedelta(days=int(day))},{cents / 100:.2f}"
        for who, day, cents in zip(log.customer, log.day, log.value_cents, strict=True)
    ]
    source = tmp_path / "orders.csv"
    source.write_text("\n".join(["customer,date,value", *lines]) + "\n", encoding="utf-8")
    out, report = tmp_path / "shop.toml", tmp_path / "report.json"
    words = ["calibrate", str(source), "--out", str(out), "--report", str(report)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "| days between orders" in done.output
    assert "An elasticity of -2.62 is assumed" in done.output
    assert load_world(str(out)).population.segments[0].name == "customer"
    found = json.loads(report.read_text(encoding="utf-8"))
    assert (found["n_customers"], found["elasticity"]) == (300, None)
    assert 0.4 < found["auc"] < 0.8


def test_a_log_too_thin_is_refused_with_the_remedy(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("customer,date,value\nann,2026-01-05,1\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["calibrate", str(source), "--out", str(tmp_path / "w.toml")])
    assert done.exit_code == 2
    assert "too thin a log" in " ".join(done.output.split())
    assert not (tmp_path / "w.toml").exists()
