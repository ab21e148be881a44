"""A change is noticed soon, and chance alone hardly ever taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.change import ChangeDetector
from policy.errors import StateError


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01])
def test_right_expectations_raise_no_alarm(rate: float) -> None:
    """A year of 0/1 rewards whose rate is known, each chosen a little too hopefully."""
    rng = np.random.default_rng(0)
    deviation = np.sqrt(rate * (1.0 - rate))
    detector = ChangeDetector()
    rewards = rng.random(300_000) < rate
    assert not any(detector.is_change(s) for s in (rewards - rate) / deviation - 0.1)


def test_heavy_tails_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    spend = np.where(rng.random(300_000) < 0.03, rng.lognormal(3.0, 1.2, 300_000), 0.0)
    detector = ChangeDetector()
    assert not any(detector.is_change(s) for s in (spend - spend.mean()) / spend.std())


@pytest.mark.parametrize(("expected", "actual"), [(0.9, 0.1), (0.7, 0.3)])
def test_rewards_that_swap_are_noticed_within_a_hundred(expected: float, actual: float) -> None:
    rng = np.random.default_rng(2)
    deviation = np.sqrt(expected * (1.0 - expected))
    detector = ChangeDetector()
    usual = rng.random(400) < expected
    assert not any(detector.is_change(s) for s in (usual - expected) / deviation)
    rewards = rng.random(100) < actual
    assert any(detector.is_change(s) for s in (rewards - expected) / deviation)


def test_it_starts_anew_after_a_change() -> None:
    detector = ChangeDetector()
    assert not any(detector.is_change(0.0) for _ in range(1_000))
    assert [detector.is_change(-4.0) for _ in range(13)].index(True) == 10
    assert detector.state() == (2, -8.0, 0.0)


def test_one_outlier_is_no_change() -> None:
    detector = ChangeDetector(settled=1)
    assert not detector.is_change(0.0)
    assert not detector.is_change(-1e9)


def test_it_goes_on_where_it_was_saved() -> None:
    detector = ChangeDetector(settled=3)
    for surprise in (0.1, -0.2, 0.3, -3.0):
        detector.is_change(surprise)
    assert ChangeDetector.restored(list(detector.state())).state() == detector.state()


@pytest.mark.parametrize("state", [None, [], [1, 2.0], [-1, 0.0, 0.0], [1, 0.0, -1.0], "abc"])
def test_a_damaged_state_is_refused(state: object) -> None:
    with pytest.raises(StateError, match="change is"):
        ChangeDetector.restored(state)
