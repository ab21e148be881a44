"""What was logged of a policy tells what it would have earned, or that it does not."""

from itertools import pairwise

import numpy as np
import pytest

from policy.errors import LogError
from policy.promotion.recorded import judged, recorded


def log_of(n: int, seed: int, floor: float) -> tuple[np.ndarray, ...]:
    """A champion that shows the first of two actions but for a floor; a shadow shows the second."""
    rng = np.random.default_rng(seed)
    second = rng.random(n) < floor / 2
    propensity = np.where(second, floor / 2, 1.0 - floor / 2)
    reward = (rng.random(n) < np.where(second, 0.5, 0.3)).astype(float)
    return second.astype(float), propensity, propensity, reward


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = [judged([recorded(*log_of(3_000, seed, 0.4))]) for seed in range(200)]
    for truth, intervals in (
        (0.5, [one.interval for one in held]),
        (0.16, [one.advantage_interval for one in held]),  # .5 beyond .8 of .3 and .2 of .5
    ):
        assert 0.9 <= np.mean([interval.holds(truth) for interval in intervals]) <= 0.99


def test_a_log_in_parts_says_the_same_as_the_whole() -> None:
    rows = log_of(3_000, 1, 0.4)
    whole = judged([recorded(*rows)])
    cuts = [0, 10, 1_700, 3_000]
    parts = [recorded(*(column[a:b] for column in rows), first_row=a) for a, b in pairwise(cuts)]
    cut = judged(parts)
    assert cut.value == pytest.approx(whole.value, rel=1e-12)
    assert cut.advantage_interval.low == pytest.approx(whole.advantage_interval.low, rel=1e-9)


def test_a_shadow_that_never_agrees_is_not_judged() -> None:
    found = judged([recorded(*log_of(3_000, 1, 0.002))])
    assert not found.diagnosis.answerable
    assert "effective rows" in found.diagnosis.reasons[0]
    assert judged([recorded(*(np.zeros(0) for _ in range(4)))]).diagnosis.n_rows == 0


def test_a_propensity_of_nothing_is_refused() -> None:
    with pytest.raises(LogError, match="above 0"):
        recorded(np.ones(1), np.ones(1), np.zeros(1), np.ones(1))
