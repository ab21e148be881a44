"""Counts that are right raise no alarm at any look; counts that are off do."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.lift.sample_ratio import sample_ratio


def test_the_right_shares_are_rarely_doubted_at_any_look() -> None:
    rng = np.random.default_rng(1)
    doubted = 0
    for _ in range(200):
        seen = np.cumsum(rng.multinomial(200, (0.9, 0.1), size=100), axis=0)
        doubted += any(sample_ratio(row, (0.9, 0.1)).p_value < 0.05 for row in seen.tolist())
    assert doubted <= 0.05 * 200


def test_a_group_that_loses_one_in_twenty_is_noticed() -> None:
    rng = np.random.default_rng(2)
    control = rng.binomial(20_000, 0.95)
    assert sample_ratio((180_000, control), (0.9, 0.1)).is_off
    assert not sample_ratio((180_000, 20_000), (0.9, 0.1)).is_off


def test_shares_that_are_far_off_show_among_few_visitors() -> None:
    assert sample_ratio((140, 60), (0.5, 0.5)).is_off
    assert not sample_ratio((110, 90), (0.5, 0.5)).is_off


def test_nobody_yet_says_nothing() -> None:
    found = sample_ratio((0, 0), (0.5, 0.5))
    assert found.p_value == 1.0
    assert found.shares == (0.0, 0.0)


@pytest.mark.parametrize(
    ("counts", "shares", "rule"),
    [
        ((1, 2), (0.5, 0.6), "sum to 1"),
        ((1, 2), (1.0, 0.0), "above 0"),
        ((1, -2), (0.5, 0.5), "at least 0"),
        ((1,), (1.0,), "two groups or more"),
        ((1, 2, 3), (0.5, 0.5), "two groups or more"),
    ],
)
def test_what_are_no_counts_or_shares_is_refused(
    counts: tuple[int, ...], shares: tuple[float, ...], rule: str
) -> None:
    with pytest.raises(EvaluationError, match=rule):
        sample_ratio(counts, shares)
