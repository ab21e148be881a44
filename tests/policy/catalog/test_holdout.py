"""The control group: the same people for ever, the share that was asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.holdout import Holdout
from policy.errors import ParameterError

VISITORS = [f"visitor-{n}" for n in range(20_000)]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("salt", ["holdout", "2026"])
def test_the_share_is_what_was_asked_for(share, salt):
    holdout = Holdout(share, salt)
    n_held = sum(map(holdout.holds, VISITORS))
    deviation = math.sqrt(len(VISITORS) * share * (1 - share))
    assert abs(n_held - share * len(VISITORS)) < 4 * deviation


def test_the_group_never_changes():
    """Written down once: another version or machine must not shuffle the groups."""
    held = [3, 8, 9, 10, 14, 24, 28, 32, 33, 45, 48, 50, 55]
    assert [n for n in range(60) if Holdout(0.2).holds(f"v{n}")] == held


@given(st.text(max_size=20), st.floats(0.01, 0.5), st.floats(0.5, 0.99))
def test_a_larger_share_keeps_everybody_of_the_smaller(visitor, small, large):
    if Holdout(small).holds(visitor):
        assert Holdout(large).holds(visitor)


def test_another_salt_is_another_group():
    one, other = Holdout(0.1, "a"), Holdout(0.1, "b")
    both = sum(one.holds(visitor) and other.holds(visitor) for visitor in VISITORS)
    assert both < 0.02 * len(VISITORS)
    assert {v for v in VISITORS if Holdout(0.1, "ab").holds(f"c{v}")} != {
        v for v in VISITORS if Holdout(0.1, "abc").holds(v)
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"share": 0}, "share is 0: nobody would be held out"),
        ({"share": 1}, "share is 1: must be a number of at least 0 and below 1"),
        ({"share": float("nan")}, "share is nan"),
        ({"share": 0.1, "salt": ""}, "salt is ''"),
        ({"share": 0.1, "salt": "x" * 201}, "must be 1 to 200 characters"),
    ],
)
def test_a_holdout_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ParameterError) as caught:
        Holdout(**fields)
    assert message in str(caught.value)
