"""Each estimator beside its formula, written out row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import EvaluationError
from policy.ope.estimators.clipped_ips import ClippedIPS
from policy.ope.estimators.direct_method import DirectMethod
from policy.ope.estimators.doubly_robust import DoublyRobust
from policy.ope.estimators.dros import DRos
from policy.ope.estimators.ips import IPS
from policy.ope.estimators.mips import MIPS
from policy.ope.estimators.replay import Replay
from policy.ope.estimators.sndr import SNDR
from policy.ope.estimators.snips import SNIPS
from policy.ope.estimators.switch_dr import SwitchDR
from policy.ope.estimators.tuned import slope, tuned_clipped_ips, tuned_dros, tuned_switch_dr
from policy.ope.log import Decisions
from policy.ope.sample import Sample, sample_of
from policy.ope.tally import Tally, buckets
from tests.policy.ope.logs import N_ACTIONS, world

if TYPE_CHECKING:
    from policy.ope.estimators.base import Estimator

PLAIN = (
    Replay(),
    IPS(),
    ClippedIPS(2.0),
    SNIPS(),
    DirectMethod(),
    DoublyRobust(),
    SNDR(),
    SwitchDR(2.0),
    DRos(3.0),
)


def estimate(estimator: Estimator, sample: Sample) -> float:
    tally = Tally.of(estimator.columns(sample), buckets(sample.log))
    return estimator.settled(tally).value(tally.means)


def by_hand(sample: Sample) -> dict[str, float]:
    """The formulas of the literature, a row at a time."""
    log, q = sample.log, sample.expected
    assert q is not None
    rows = []
    for i in range(log.n_rows):
        a = log.action[i]
        p, r = sample.target[i, a], log.reward[i]
        w = p / log.propensity[i]
        direct = sum(sample.target[i, b] * q[i, b] for b in range(log.n_actions))
        rows.append((p, r, w, direct, r - q[i, a]))
    n = len(rows)
    total_w = sum(w for _, _, w, _, _ in rows)
    dm = sum(d for _, _, _, d, _ in rows) / n
    return {
        "replay": sum(p * r for p, r, *_ in rows) / sum(p for p, *_ in rows),
        "ips": sum(w * r for _, r, w, _, _ in rows) / n,
        "clipped_ips": sum(min(w, 2.0) * r for _, r, w, _, _ in rows) / n,
        "snips": sum(w * r for _, r, w, _, _ in rows) / total_w,
        "direct_method": dm,
        "doubly_robust": dm + sum(w * e for _, _, w, _, e in rows) / n,
        "sndr": dm + sum(w * e for _, _, w, _, e in rows) / total_w,
        "switch_dr": dm + sum(w * e for _, _, w, _, e in rows if w <= 2.0) / n,
        "dros": dm + sum(3.0 * w / (w * w + 3.0) * e for _, _, w, _, e in rows) / n,
    }


def modelled(n: int, seed: int) -> tuple[Sample, float]:
    made = world(n, seed)
    q = made.means + np.random.default_rng(seed).normal(0.0, 0.2, made.means.shape)
    return sample_of(made.log, made.target, q), made.truth


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_estimates_are_those_of_the_formulas(seed: int, n: int) -> None:
    sample, _ = modelled(n, seed)
    wanted = by_hand(sample)
    for estimator in PLAIN:
        assert estimate(estimator, sample) == pytest.approx(wanted[estimator.name], rel=1e-9)


@given(st.integers(0, 2**32))
def test_the_logging_policy_earns_the_mean_reward(seed: int) -> None:
    made = world(50, seed)
    assert made.log.logging is not None
    sample = sample_of(made.log, made.log.logging)
    for estimator in (IPS(), SNIPS(), MIPS(np.arange(N_ACTIONS))):
        assert estimate(estimator, sample) == pytest.approx(made.log.reward.mean(), rel=1e-12)


def test_gradients_are_the_derivatives_of_values() -> None:
    rng = np.random.default_rng(0)
    for estimator in (*PLAIN, MIPS(np.arange(4))):
        means = rng.uniform(0.5, 2.0, estimator.n_columns)
        for column in range(estimator.n_columns):
            step = np.eye(estimator.n_columns)[column] * 1e-6
            slope_ = (estimator.value(means + step) - estimator.value(means - step)) / 2e-6
            assert estimator.gradient(means)[column] == pytest.approx(slope_, abs=1e-6)


def test_unbiased_estimators_find_the_truth_within_their_error() -> None:
    sample, truth = modelled(40_000, 5)
    for estimator in (IPS(), SNIPS(), DoublyRobust(), SNDR()):
        columns = estimator.columns(sample)
        tally = Tally.of(columns, buckets(sample.log))
        error = tally.standard_error(estimator.gradient(tally.means))
        assert abs(estimator.value(tally.means) - truth) < 4.0 * error
        assert error < 0.02


def test_replay_is_biased_where_the_log_was_not_uniform() -> None:
    """A log that shows the better action nine times in ten makes uniform look good."""
    action = np.arange(1_000) % 10 // 9
    log = Decisions(("a", "b"), action, 1.0 - action, np.where(action, 0.1, 0.9))
    sample = sample_of(log, np.full((1_000, 2), 0.5))
    assert estimate(Replay(), sample) == pytest.approx(0.9)
    assert estimate(IPS(), sample) == pytest.approx(0.5)


def test_mips_pools_the_actions_of_a_category() -> None:
    log = Decisions(
        ("a", "b", "c"),
        np.array([0, 2]),
        np.array([1.0, 2.0]),
        np.array([0.2, 0.5]),
        logging=np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]),
    )
    sample = sample_of(log, np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    columns = MIPS(np.array([0, 0, 1])).columns(sample)
    assert columns[:, 0] == pytest.approx([1.0 / 0.5, 2.0 / 0.5])


def test_what_an_estimator_lacks_is_named() -> None:
    log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1))
    sample = sample_of(log, np.array([[1.0, 0.0]]))
    with pytest.raises(EvaluationError, match="needs a reward model"):
        DoublyRobust().columns(sample)
    with pytest.raises(EvaluationError, match="logging probability of every action"):
        MIPS(np.array([0, 1])).columns(sample)


@pytest.mark.parametrize("family", [tuned_clipped_ips(), tuned_switch_dr(), tuned_dros()])
def test_tuning_takes_one_member_of_the_family(family: Estimator) -> None:
    sample, truth = modelled(5_000, 7)
    tally = Tally.of(family.columns(sample), buckets(sample.log))
    chosen = family.settled(tally)
    assert chosen.value(tally.means) in list(tally.means)
    assert abs(chosen.value(tally.means) - truth) < 0.1


def test_slope_stops_where_bias_shows() -> None:
    widths = np.array([1.0, 0.5, 0.1, 0.05])
    assert slope(np.array([1.0, 1.2, 1.1, 1.0]), widths) == 3
    assert slope(np.array([1.0, 1.2, 4.0, 1.0]), widths) == 1
    assert slope(np.array([1.0]), widths[:1]) == 0
