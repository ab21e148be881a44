"""A log that cannot answer says so, and why."""

from __future__ import annotations

import numpy as np
import pytest

from policy.ope.diagnostics import Diagnosis, diagnosis, overlap_columns
from policy.ope.log import Decisions
from policy.ope.sample import sample_of
from policy.ope.tally import Tally, buckets
from tests.policy.ope.logs import world


def diagnose(log: Decisions, target: np.ndarray) -> Diagnosis:
    sample = sample_of(log, target)
    return diagnosis(Tally.of(overlap_columns(sample), buckets(log)))


def two_armed(n: int, p: float, seed: int = 0) -> Decisions:
    """The second arm is shown with probability p."""
    action = (np.random.default_rng(seed).random(n) < p).astype(np.int64)
    return Decisions(("a", "b"), action, np.ones(n), np.where(action == 1, p, 1.0 - p))


SECOND = np.array([0.0, 1.0])


def test_a_covered_target_is_answerable() -> None:
    made = world(3_000, 1)
    found = diagnose(made.log, made.target)
    assert found.answerable
    assert found.mean_weight == pytest.approx(1.0, abs=4 * found.weight_error)
    assert 50 < found.effective_rows < 3_000
    assert found.unsupported == 0.0


def test_too_few_effective_rows() -> None:
    found = diagnose(two_armed(1_000, 0.02), np.tile(SECOND, (1_000, 1)))
    assert "effective rows of 1000: at least 50" in found.reasons[0]


def test_one_row_that_carries_all() -> None:
    propensity = np.full(1_000, 0.5)
    propensity[3] = 1e-3
    log = Decisions(("a", "b"), np.arange(1_000) % 2, np.ones(1_000), propensity)
    found = diagnose(log, np.tile(SECOND, (1_000, 1)))
    assert found.largest_weight == 1_000
    assert any("effective" in reason or "one row carries" in reason for reason in found.reasons)


def test_mass_without_support() -> None:
    n = 1_000
    logging = np.tile([0.5, 0.5, 0.0], (n, 1))
    log = Decisions(("a", "b", "c"), np.arange(n) % 2, np.ones(n), np.full(n, 0.5), logging=logging)
    found = diagnose(log, np.full((n, 3), 1 / 3))
    assert found.unsupported == pytest.approx(1 / 3)
    assert "33.3% of what the policy shows has logging probability 0" in found.reasons[0]


def test_a_log_without_exploration_answers_only_for_itself() -> None:
    log = Decisions(("a", "b"), np.arange(1_000) % 2, np.ones(1_000), np.ones(1_000))
    assert "without exploration" in diagnose(log, np.tile(SECOND, (1_000, 1))).reasons[0]
    assert diagnose(log, np.eye(2)[log.action]).answerable


def test_a_row_with_one_eligible_action_is_no_lack_of_exploration() -> None:
    eligible = np.tile([False, True], (1_000, 1))
    eligible[:500] = True
    action = np.where(np.arange(1_000) < 500, np.arange(1_000) % 2, 1)
    log = Decisions(
        ("a", "b"),
        action,
        np.ones(1_000),
        np.where(eligible.all(axis=1), 0.5, 1.0),
        eligible=eligible,
    )
    assert diagnose(log, np.tile(SECOND, (1_000, 1))).answerable


def test_wrong_propensities_show_in_the_mean_weight() -> None:
    log = two_armed(5_000, 0.5)
    wrong = Decisions(log.actions, log.action, log.reward, np.full(5_000, 0.9))
    (reason,) = diagnose(wrong, np.tile(SECOND, (5_000, 1))).reasons
    assert "propensities are not those" in reason


def test_no_rows() -> None:
    empty = Decisions(("a",), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    assert diagnose(empty, np.zeros((0, 1))).reasons == ("the log has no rows",)
