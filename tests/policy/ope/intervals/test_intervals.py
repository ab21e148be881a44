"""Intervals hold as often as they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import EvaluationError
from policy.ope.estimators.ips import IPS
from policy.ope.estimators.snips import SNIPS
from policy.ope.intervals.base import Interval
from policy.ope.intervals.bootstrap import bootstrap, studentised
from policy.ope.intervals.empirical_bernstein import empirical_bernstein
from policy.ope.intervals.normal import normal
from policy.ope.intervals.skewed import _inverse, skewed
from policy.ope.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.ope.estimators.base import Estimator

N_LOGS, N_ROWS = 300, 200
Make = "Callable[[Estimator, Tally], Interval]"


def tally(rows: np.ndarray) -> Tally:
    return Tally.of(rows if rows.ndim == 2 else rows[:, np.newaxis], np.arange(len(rows)))


def resampling(make: Callable[..., Interval]) -> Make:
    rng = np.random.default_rng(3)
    return lambda estimator, of: make(estimator, of, rng=rng, n_resamples=150)


def coverage(make: Make, draw: Callable[[np.random.Generator], np.ndarray], mean: float) -> float:
    rng = np.random.default_rng(17)
    return sum(make(IPS(), tally(draw(rng))).holds(mean) for _ in range(N_LOGS)) / N_LOGS


@pytest.mark.parametrize(
    "make",
    [normal, skewed, resampling(bootstrap), resampling(studentised)],
    ids=["normal", "skewed", "bootstrap", "studentised"],
)
def test_each_covers_where_rows_are_tame(make: Make) -> None:
    assert 0.92 < coverage(make, lambda rng: rng.random(N_ROWS), 0.5) < 0.98


def test_skewed_and_studentised_cover_better_where_weights_are_heavy() -> None:
    """Weights of 20 with probability 1/20, of which a third earns 1: 5 rows carry the estimate."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        return 20.0 * (rng.random(N_ROWS) < 0.05) * rng.exponential(1.0, N_ROWS)

    plain = coverage(normal, draw, 1.0)
    assert plain < 0.92
    assert coverage(skewed, draw, 1.0) > plain
    assert coverage(resampling(studentised), draw, 1.0) > plain


def test_empirical_bernstein_always_covers_and_is_long() -> None:
    def make(estimator: Estimator, of: Tally) -> Interval:
        return empirical_bernstein(estimator, of, 1.0)

    assert coverage(make, lambda rng: rng.random(N_ROWS), 0.5) == 1.0
    rows = np.random.default_rng(0).random(N_ROWS)
    log = math.log(4 / 0.05)
    wanted = math.sqrt(2 * rows.var(ddof=1) * log / N_ROWS) + 7 * log / (3 * (N_ROWS - 1))
    assert make(IPS(), tally(rows)).half_width == pytest.approx(wanted)


def test_empirical_bernstein_refuses_what_it_cannot_bound() -> None:
    with pytest.raises(EvaluationError, match="snips is not the mean of one column"):
        empirical_bernstein(SNIPS(), tally(np.ones((5, 2))), 1.0)
    with pytest.raises(EvaluationError, match=r"span is 0\.5: rows differ by 1"):
        empirical_bernstein(IPS(), tally(np.array([0.0, 1.0])), 0.5)


@given(st.floats(-3, 3), st.floats(-1.5, 1.5))
def test_the_skewness_correction_inverts_halls_transformation(x: float, s: float) -> None:
    t = _inverse(x, s)
    assert t + s * t**2 / 3 + s**2 * t**3 / 27 + s / 6 == pytest.approx(x, abs=1e-6)


def test_intervals_of_a_ratio_agree_for_many_rows() -> None:
    rng = np.random.default_rng(1)
    weight = rng.exponential(1.0, 1000)
    of = tally(np.column_stack((weight * (rng.random(1000) < 0.3), weight)))
    wanted = normal(SNIPS(), of)
    for other in (
        skewed(SNIPS(), of),
        bootstrap(SNIPS(), of, rng=rng),
        studentised(SNIPS(), of, rng=rng),
    ):
        assert other.low == pytest.approx(wanted.low, abs=0.01)
        assert other.high == pytest.approx(wanted.high, abs=0.01)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_bound_nothing(n: int) -> None:
    of, rng = tally(np.ones((n, 1))), np.random.default_rng(0)
    for interval in (
        normal(IPS(), of),
        skewed(IPS(), of),
        bootstrap(IPS(), of, rng=rng),
        studentised(IPS(), of, rng=rng),
        empirical_bernstein(IPS(), of, 1.0),
    ):
        assert (interval.low, interval.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("make", [normal, skewed])
def test_levels_are_checked(make: Callable[..., Interval]) -> None:
    with pytest.raises(EvaluationError, match=r"level is 95.0: must be above 0 and below 1"):
        make(IPS(), tally(np.arange(5.0)), 95.0)


def test_an_interval_is_cut_to_what_is_possible() -> None:
    cut = Interval(-0.5, 0.5, 0.95, "normal").within(0.0, 1.0)
    assert (cut.low, cut.high) == (0.0, 0.5)
