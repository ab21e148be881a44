"""Without propensities: weights out of a classifier, and a log that says its own are a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.ope.estimators.balanced import Balanced, DensityRatio
from policy.ope.evaluate import Question, evaluate
from policy.ope.formats.csv_log import write_csv
from policy.ope.formats.dsjson import write_dsjson
from policy.ope.formats.obp import to_bandit_feedback
from policy.ope.log import Decisions
from policy.ope.propensity import estimated
from policy.ope.sample import sample_of
from policy.ope.targets import Given
from tests.policy.ope.logs import rows_of, world

if TYPE_CHECKING:
    from pathlib import Path


def unknown(n: int, seed: int) -> tuple[Decisions, np.ndarray, float]:
    """A log whose propensities are lost, a target, and its value."""
    made = world(n, seed)
    log = made.log
    lost = Decisions(log.actions, log.action, log.reward, np.ones(n), log.context)
    return lost, made.target, made.truth


def test_balancing_finds_the_truth_without_propensities() -> None:
    errors, blind = [], []
    for seed in range(10):
        log, target, truth = unknown(4_000, seed)
        means = Balanced(DensityRatio.fitted(log, target)).columns(sample_of(log, target)).mean(0)
        errors.append(means[0] / means[1] - truth)
        blind.append(log.reward.mean() - truth)
    assert abs(np.mean(errors)) < 0.3 * abs(np.mean(blind))
    assert np.sqrt(np.mean(np.square(errors))) < 0.05


def test_weights_are_those_of_the_propensities() -> None:
    made = world(20_000, 1)
    true = made.log.taken(made.target) / made.log.propensity
    found = DensityRatio.fitted(made.log, made.target).of(made.log)
    assert np.corrcoef(np.log(true), np.log(found))[0, 1] > 0.9
    assert found.mean() == pytest.approx(1.0, abs=0.05)


def test_weights_are_fitted_without_the_row() -> None:
    log, target, _ = unknown(400, 2)
    ratio = DensityRatio.fitted(log, target)
    part = rows_of(log, 100, 200)
    assert ratio.of(part) == pytest.approx(ratio.of(log)[100:200])


def test_estimated_propensities_are_near_the_true_ones_and_said_loudly() -> None:
    made = world(20_000, 3)
    true = made.log
    log = estimated(true.actions, true.action, true.reward, true.context)
    assert log.logging is not None
    assert true.logging is not None
    assert np.corrcoef(log.logging.ravel(), true.logging.ravel())[0, 1] > 0.97
    found = evaluate(lambda: [log], Question({"new": Given(made.target)}))
    assert "propensities are estimated from the log, not logged" in found.warnings[0]
    assert found.of("new").best.value == pytest.approx(made.truth, abs=0.03)
    known = evaluate(lambda: [true], Question({"new": Given(made.target)}))
    assert known.warnings == ()


def test_the_eligible_actions_share_the_estimate() -> None:
    made = world(500, 4)
    eligible = np.ones((500, 4), bool)
    eligible[:, 3] = made.log.action == 3
    log = estimated(made.log.actions, made.log.action, made.log.reward, made.log.context, eligible)
    assert log.logging is not None
    assert not log.logging[~eligible].any()


def test_a_guess_is_never_written_as_a_log(tmp_path: Path) -> None:
    made = world(100, 5).log
    log = estimated(made.actions, made.action, made.reward, made.context)
    for write in (
        lambda: write_csv(tmp_path / "a.csv", [log]),
        lambda: write_dsjson(tmp_path / "a.json", [log]),
        lambda: to_bandit_feedback(log),
    ):
        with pytest.raises(LogError, match="estimated"):
            write()


def test_what_tells_nothing_is_refused() -> None:
    with pytest.raises(LogError, match="fewer than two actions"):
        estimated(("a", "b"), np.zeros(50, int), np.ones(50), np.ones((50, 1)))
    log, target, _ = unknown(100, 6)
    ratio = DensityRatio.fitted(log, target)
    narrow = Decisions(log.actions, log.action, log.reward, log.propensity)
    with pytest.raises(EvaluationError, match="context has 0 columns"):
        ratio.of(narrow)
