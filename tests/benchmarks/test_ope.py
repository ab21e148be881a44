"""The worlds of the benchmark are what they say, and its counts count."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ope.__main__ import gate_table, holdout_table, search_table
from benchmarks.ope.coverage import measure
from benchmarks.ope.coverage_tables import coverage_table, error_table
from benchmarks.ope.gate import run_trials
from benchmarks.ope.holdout import run_experiments
from benchmarks.ope.searching import run_searches
from benchmarks.ope.worlds import HELD_OUT, TARGET, WORLDS, World, draw, draw_log, true_value
from benchmarks.report import markdown


@pytest.mark.parametrize("world", [*WORLDS, *HELD_OUT], ids=lambda world: world.name)
def test_weights_are_1_on_average_and_below_their_bound(world: World) -> None:
    log = draw_log(world, 10_000, np.random.default_rng(1))
    weight = log.targets[TARGET][np.arange(log.n_rows), log.action] / log.propensity
    assert weight.max() <= world.largest_weight
    assert weight.mean() == pytest.approx(1.0, abs=5.0 * weight.std() / 10_000**0.5)
    value = weight * log.reward
    assert value.mean() == pytest.approx(true_value(world), abs=5.0 * value.std() / 10_000**0.5)


def test_coverage_and_errors_are_those_of_the_logs() -> None:
    found = measure(WORLDS[0], n_logs=4, n_rows=500)
    assert (found.n_logs, found.n_refused) == (4, 0)
    assert 0 <= found.n_held <= 4
    assert found.n_always is not None
    assert len(found.errors["ips"]) == 4
    assert "| **blended**" in markdown(error_table("worlds", [found]))
    assert "| plain" in markdown(coverage_table("worlds", [found]))


@pytest.mark.parametrize("world", [WORLDS[0], WORLDS[3]], ids=lambda world: world.name)
def test_what_rows_are_expected_to_earn_is_the_value(world: World) -> None:
    _, expected = draw(world, 20_000, np.random.default_rng(2))
    error = expected.std() / 20_000**0.5
    assert expected.mean() == pytest.approx(true_value(world), abs=5.0 * error)


def test_a_year_of_trials_ends_with_a_verdict_or_without() -> None:
    better = run_trials(0.5, lift=1.0, n_trials=2, days=20)
    worse = run_trials(0.5, lift=-0.5, n_trials=2, days=20)
    equal = run_trials(0.5, lift=0.0, n_trials=1, days=2)
    assert len(better.promoted_days) == 2
    assert worse.n_rolled_back == 2
    assert equal.median_days is None
    assert "100%" in markdown(gate_table([better]))


def test_an_interval_for_one_look_is_wrong_more_often() -> None:
    found = run_experiments(20, looks=40)
    assert found.always_valid <= found.normal
    assert found.variance_left == pytest.approx(0.25, abs=0.05)
    assert "sample ratio" in markdown(holdout_table(found))


def test_a_search_of_noise_claims_less_on_rows_that_did_not_choose() -> None:
    found = run_searches(2, n_rows=800)
    assert found.n_searches == 2
    assert found.called_better <= found.judged + 1
    assert "clearly better" in markdown(search_table(found))


def test_two_processes_give_the_bits_of_one() -> None:
    pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    from benchmarks.ope.speed import measure_speed

    found = measure_speed(2_000)
    assert found.is_same
    assert found.n_rows == 2_000
