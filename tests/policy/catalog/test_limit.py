"""Caps and cooldowns: when one more showing is one too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.limit import DAY_US, MINUTE_US, Limit, Tracked
from policy.errors import PolicyError

times = st.lists(st.integers(0, 10 * DAY_US), max_size=8).map(sorted)


@given(times, st.integers(1, 4), st.integers(1, 5), st.integers(0, 12 * DAY_US))
def test_a_cap_counts_what_lies_in_its_window(times_us, most, days, now_us):
    recent = [time_us for time_us in times_us if time_us > now_us - days * DAY_US]
    verdict = Limit(times=most, days=days).verdict(times_us, now_us)
    assert verdict == ("capped" if len(recent) >= most else None)
    assert Limit(times=most, days=days).verdict(times_us[-most:], now_us) == verdict


@given(times, st.integers(1, 3_000), st.integers(0, 12 * DAY_US))
def test_a_cooldown_looks_at_the_last_time(times_us, minutes, now_us):
    cooling = bool(times_us) and times_us[-1] > now_us - minutes * MINUTE_US
    verdict = Limit(cooldown_minutes=minutes).verdict(times_us, now_us)
    assert verdict == ("cooling_down" if cooling else None)


def test_at_the_very_end_of_its_window_a_showing_no_longer_counts():
    limit = Limit(times=1, days=1)
    assert limit.verdict([0], DAY_US - 1) == "capped"
    assert limit.verdict([0], DAY_US) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a limit needs times and days, or cooldown_minutes"),
        ({"times": 3}, "cap is 3 times in None days: needs both"),
        ({"times": 0, "days": 7}, "times is 0: must be a whole number from 1 to 1000"),
        ({"times": 1.5, "days": 7}, "times is 1.5"),
        ({"times": 3, "days": 0}, "days is 0"),
        ({"times": 3, "days": float("inf")}, "days is inf"),
        ({"cooldown_minutes": -1}, "cooldown_minutes is -1"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(PolicyError) as caught:
        Limit(**fields)
    assert message in str(caught.value)


def test_the_fingerprint_is_of_what_is_remembered():
    tea = {("action", "tea"): [Limit(3, 7)]}
    mark = Tracked(tea, {}).fingerprint
    assert Tracked({**tea, ("action", "salt"): []}, {}).fingerprint == mark
    for other in (
        Tracked({("action", "tea"): [Limit(4, 7)]}, {}),
        Tracked({("action", "tea"): [Limit(3, 8)]}, {}),
        Tracked({("action", "salt"): [Limit(3, 7)]}, {}),
        Tracked(tea, {"home": 0}),
    ):
        assert other.fingerprint != mark


def test_nothing_to_remember_is_false():
    assert not Tracked({}, {})
    assert not Tracked({("action", "tea"): []}, {})
    assert Tracked({}, {"home": 0})
