from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.errors import WorldError
from simulator.experiment.report import write_report
from simulator.experiment.run import Cell, Plan, run
from simulator.experiment.summary import interval, summarise

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(("nothing", "random", "always:email-25"), ("steady", "price-war"), (0, 1), 40, 25)


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_experiment_computes_only_what_is_missing(tmp_path: Path) -> None:
    done: list[Cell] = []

    def die(cell: Cell) -> None:
        done.append(cell)
        if len(done) == 5:
            raise KilledError

    with pytest.raises(KilledError):
        run(PLAN, tmp_path, on_cell=die)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.zip")}
    assert len(written) == 5
    results = run(PLAN, tmp_path)
    assert len(results) == 12
    for path, changed in written.items():
        assert path.stat().st_mtime_ns == changed


def test_the_baseline_gains_nothing_and_twins_save_shoppers(tmp_path: Path) -> None:
    rows = summarise(PLAN, run(PLAN, tmp_path))
    assert [row.policy for row in rows] == list(PLAN.policies) * 2
    for row in rows:
        if row.policy == "nothing":
            assert (row.gain, row.gain_low, row.gain_high) == (0.0, 0.0, 0.0)
        else:
            assert row.gain_low < row.gain < row.gain_high
            baseline = next(r for r in rows if (r.scenario, r.policy) == (row.scenario, "nothing"))
            assert row.gain == pytest.approx(row.mean - baseline.mean)
            assert row.variance_ratio > 1.0


def test_intervals_cover_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1_000):
        _, low, high = interval(rng.normal(3.0, 2.0, 100))
        hits += low <= 3.0 <= high
    assert 0.93 < hits / 1_000 < 0.97


def test_the_report_is_a_page_and_data(tmp_path: Path) -> None:
    written = write_report(PLAN, run(PLAN, tmp_path), tmp_path)
    assert [path.name for path in written] == ["report.html", "report.json", "shoppers.parquet"]
    page = written[0].read_text()
    for text in (*PLAN.policies, *PLAN.scenarios, "Plotly", "95&nbsp;%"):
        assert text in page
    assert "<script src" not in page
    rows = json.loads(written[1].read_text())
    assert len(rows) == 6
    assert rows[0]["variance_ratio"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policies": ()}, "policies is"),
        ({"seeds": (1, 1)}, "each once"),
        ({"n_shoppers": 1}, "n_shoppers is 1"),
    ],
)
def test_plans_that_compare_nothing_are_refused(change: dict, message: str) -> None:
    fields = {"policies": ("nothing",), "scenarios": ("steady",), "seeds": (0,), **change}
    with pytest.raises(WorldError, match=message):
        Plan(**fields)


def test_nothing_is_computed_where_a_policy_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no such action"):
        run(Plan(("nothing", "always:fax"), ("steady",)), tmp_path / "x")
    assert not (tmp_path / "x").exists()
