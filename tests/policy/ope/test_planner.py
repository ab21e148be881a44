"""A plan keeps what it promises: the error after its rows is the one that was wanted."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError, ParameterError
from policy.ope.log import Decisions
from policy.ope.planner import FLOORS, plan, plan_of
from policy.ope.sample import sample_of
from tests.policy.ope.logs import world


def log_with(floor: float, n: int, seed: int) -> Decisions:
    rng = np.random.default_rng(seed)
    p = (1.0 - floor) * 0.05 + floor / 2
    action = (rng.random(n) < p).astype(np.int64)
    return Decisions(
        ("a", "b"), action, (rng.random(n) < 0.3) * 1.0, np.where(action == 1, p, 1.0 - p)
    )


@pytest.mark.parametrize("floor", [0.05, 0.2, 0.5])
def test_the_error_under_another_floor_is_foretold(floor: float) -> None:
    target = np.array([0.0, 1.0])
    log = log_with(0.0, 40_000, 1)
    steps = plan(plan_of(sample_of(log, np.tile(target, (40_000, 1)))), 0.02, 1_000)
    step = next(step for step in steps if step.floor == floor)
    later = log_with(floor, 100_000, 2)
    terms = sample_of(later, np.tile(target, (100_000, 1))).weight * later.reward
    assert step.row_deviation == pytest.approx(terms.std(), rel=0.05)
    assert 1.96 * terms.std() / np.sqrt(step.n_rows) == pytest.approx(0.02, rel=0.06)
    assert step.n_days == step.n_rows / 1_000


def test_more_exploration_takes_fewer_days_and_narrow_intervals_more() -> None:
    log = log_with(0.0, 10_000, 1)
    tally = plan_of(sample_of(log, np.tile([0.0, 1.0], (10_000, 1))))
    days = [step.n_days for step in plan(tally, 0.05, 100)]
    assert days == sorted(days, reverse=True)
    assert plan(tally, 0.025, 100)[0].n_days == pytest.approx(4 * days[0], rel=0.01)


def test_what_cannot_be_planned_is_refused() -> None:
    made = world(20, 1)
    tally = plan_of(sample_of(made.log, made.target))
    with pytest.raises(ParameterError, match="half_width is 0"):
        plan(tally, 0, 1.0)
    with pytest.raises(EvaluationError, match="8 floors: must be of some rows and 7"):
        plan(tally, 0.1, 1.0, floors=FLOORS[1:])
