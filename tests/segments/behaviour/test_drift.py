import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.behaviour.drift import feature_drift, psi, transition_matrix
from segments.errors import SegmentsError

NAMES = ("orders", "revenue_cents", "discount_share")


def population(seed, shift=0.0, n=1_000):
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [rng.normal(shift, 1.0, n), rng.exponential(1.0, n), (rng.random(n) < 0.2).astype(float)]
    )


def test_the_feature_that_moved_comes_first_and_the_others_have_not():
    moved, *others = feature_drift(NAMES, population(0), population(1, shift=0.8))
    assert moved.feature == "orders"
    assert moved.shifted
    assert moved.ks > 0.25
    assert moved.p_value < 1e-6
    assert not any(other.shifted for other in others)
    assert all(other.psi < 0.1 and other.p_value > 0.001 for other in others)


@given(st.integers(0, 200), st.integers(0, 200))
def test_psi_is_never_negative_and_about_zero_for_the_same(one, other):
    values = population(one, n=400)[:, 0]
    assert psi(values, values) == pytest.approx(0.0, abs=1e-12)
    # Of n and m alike in k bins, psi is about (1/n + 1/m) times a chi-square of k - 1: .045 here,
    # and beyond .25 once in ten million.
    assert 0.0 <= psi(values, population(other + 500, n=400)[:, 0]) < 0.25


def test_a_constant_feature_has_not_moved_and_one_that_left_its_value_has():
    assert psi(np.zeros(50), np.zeros(80)) < 0.01
    assert psi(np.zeros(50), np.ones(80)) > 1.0


@given(st.lists(st.tuples(*[st.sampled_from(("s1", "s2", "s3"))] * 2), min_size=1))
def test_rows_of_transitions_add_up_to_one_or_are_empty(pairs):
    ids, shares = transition_matrix([a for a, _ in pairs], [b for _, b in pairs])
    sums = shares.sum(axis=1)
    assert all(
        total == pytest.approx(1.0 if any(a == name for a, _ in pairs) else 0.0)
        for name, total in zip(ids, sums, strict=True)
    )


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(SegmentsError, match=r"after must have shape \(n > 0, 3\), got \(0, 3\)"):
        feature_drift(NAMES, population(0), np.empty((0, 3)))
    with pytest.raises(SegmentsError, match="2 visitors before and 1 after"):
        transition_matrix(["s1", "s1"], ["s1"])
