"""The lift's interval holds at all times, and what was known before narrows it."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.lift.lift import always_valid_reach, lift
from policy.lift.outcomes import Outcomes

Visitors = tuple[np.ndarray, np.ndarray]


def shop(rng: np.random.Generator, n: int, gain: float = 0.0) -> Visitors:
    """What visitors spent, and before; they keep four fifths of their habits."""
    before = rng.exponential(1.0, n)
    return 0.8 * before + rng.exponential(0.5, n) + gain, before


def test_no_effect_is_found_at_any_look_with_at_most_alpha() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        treated, control = Outcomes.of(np.zeros(0)), Outcomes.of(np.zeros(0))
        found = False
        for _ in range(40):
            treated = treated.merged(Outcomes.of(*shop(rng, 225)))
            control = control.merged(Outcomes.of(*shop(rng, 25)))
            seen = lift(treated, control)
            found |= not seen.interval.holds(0.0) or not seen.relative.holds(0.0)
        wrong += found
    assert wrong <= 0.05 * 300


def test_an_effect_is_found_with_its_size() -> None:
    rng = np.random.default_rng(2)
    found = lift(Outcomes.of(*shop(rng, 9_000, gain=0.13)), Outcomes.of(*shop(rng, 1_000)))
    assert found.interval.holds(0.13)
    assert found.interval.low > 0.0
    assert found.relative.holds(0.1)
    assert found.control == pytest.approx(1.3, abs=0.05)


def test_what_was_known_before_takes_its_share_of_the_variance() -> None:
    rng = np.random.default_rng(3)
    treated, control = shop(rng, 20_000, gain=0.1), shop(rng, 20_000)
    with_it = lift(Outcomes.of(*treated), Outcomes.of(*control))
    without = lift(Outcomes.of(treated[0]), Outcomes.of(control[0]))
    correlation = np.corrcoef(*control)[0, 1]
    assert with_it.variance_left == pytest.approx(1.0 - correlation**2, rel=0.05)
    assert without.variance_left == 1.0
    assert with_it.error == pytest.approx(without.error * with_it.variance_left**0.5, rel=0.05)


def test_without_a_covariate_it_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(4)
    treated, control = rng.random(500), rng.random(300)
    found = lift(Outcomes.of(treated), Outcomes.of(control))
    assert found.difference == pytest.approx(treated.mean() - control.mean())
    error = np.sqrt(treated.var(ddof=1) / 500 + control.var(ddof=1) / 300)
    assert found.error == pytest.approx(error)


def test_a_lopsided_start_is_taken_out() -> None:
    """Groups that differ by chance before are compared as if they had not."""
    rng = np.random.default_rng(5)
    rich, poor = np.full(500, 3.0), np.full(500, 1.0)
    noise = rng.normal(0.0, 0.1, 1_000)
    before = np.concatenate((rich, poor))
    treated = Outcomes.of(before + noise, before)
    control = Outcomes.of(before[:600] + noise[::-1][:600], before[:600])
    assert abs(lift(treated, control).difference) < 0.05


def test_few_visitors_say_nothing() -> None:
    found = lift(Outcomes.of(np.ones(99)), Outcomes.of(np.ones(9_999)))
    assert found.interval.low == -np.inf
    assert found.relative.high == np.inf


def test_a_control_that_may_earn_nothing_bounds_no_ratio() -> None:
    rng = np.random.default_rng(6)
    found = lift(Outcomes.of(rng.normal(1.0, 1.0, 200)), Outcomes.of(rng.normal(0.01, 1.0, 200)))
    assert found.relative.low == -np.inf
    assert found.interval.low > 0.0


def test_the_reach_is_narrowest_about_where_it_was_planned() -> None:
    at = {
        plan: always_valid_reach(10_000, planned_visitors=plan) for plan in (1_000, 10_000, 100_000)
    }
    assert at[10_000] == min(at.values())
    assert at[10_000] > 1.96
    with pytest.raises(EvaluationError, match="planned_visitors is 0"):
        always_valid_reach(10, planned_visitors=0)
