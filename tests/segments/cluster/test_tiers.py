import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.tiers import Rfm, ValueTiers, distinct_cuts
from segments.cluster.worth import WORTH_FEATURES, expected_cents
from segments.errors import SegmentationError
from segments.features.schema import SCHEMA

READINGS = {reading.name: reading for reading in SCHEMA.readings}


def scaled(**natural):
    """A row of the features of worth, from natural units."""
    row = {"revenue_cents": 10_000.0, "tenure_days": 60.0, "recency_days": 0.0}
    row |= {"orders_per_30_days": 1.0, "average_order_cents": 5_000.0, **natural}
    return np.array([[READINGS[name].scaled(row[name]) for name in WORTH_FEATURES]])


def test_the_expectation_is_the_mean_of_lately_and_always():
    assert expected_cents(scaled())[0] == pytest.approx((5_000.0 + 10_000.0 / 3.0) / 2.0)


def test_ninety_days_without_a_purchase_halve_it():
    whole, half = expected_cents(scaled()), expected_cents(scaled(recency_days=90.0))
    assert half[0] == pytest.approx(whole[0] / 2.0)


def spenders(cents):
    vectors = np.array([[READINGS["revenue_cents"].scaled(x)] for x in cents], np.float32)
    return Cohort(vectors, ("revenue_cents",))


def test_a_pyramid_of_a_hundred_has_one_four_fifteen_and_the_rest():
    cohort = spenders(np.arange(1, 101) * 1_000.0)
    fitted = fit_segments(
        ValueTiers(expected=False), cohort, previous=None, rng=np.random.default_rng(0)
    )
    assert [segment.size for segment in fitted.segments] == [1, 4, 15, 80]
    assert [segment.description for segment in fitted.segments] == [
        "spent over 990 in all",
        "spent 950 to 990 in all",
        "spent 800 to 950 in all",
        "spent up to 800 in all",
    ]


@pytest.mark.parametrize("max_churn", [0.0, 0.02])
def test_a_refit_moves_no_more_visitors_than_its_budget_for_the_same_behaviour(max_churn):
    rng = np.random.default_rng(0)
    now, then = (spenders(rng.lognormal(mean, 1.0, 2_000)) for mean in (8.0, 9.0))
    free, bound = ValueTiers(expected=False), ValueTiers(expected=False, max_churn=max_churn)
    old = free.fit(now, None, rng).reordered([3, 2, 1, 0])
    before = old.labels(then.vectors)
    churn = [
        (one.fit(then, old, rng).labels(then.vectors) != before).mean() for one in (free, bound)
    ]
    assert churn[0] > 0.1
    assert churn[1] <= max_churn


@given(
    scores=st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    shares=st.lists(st.floats(0.01, 0.99), max_size=6),
)
def test_no_cut_leaves_a_tier_empty(scores, shares):
    values = np.array(scores, float)
    cuts = distinct_cuts(values, sorted(shares))
    tiers = np.searchsorted(cuts, values, side="left")
    assert set(tiers) == set(range(len(cuts) + 1))


def test_rfm_sums_run_from_three_to_fifteen_and_bins_say_so():
    rng = np.random.default_rng(0)
    names = ("recency_days", "orders", "revenue_cents")
    cohort = Cohort(rng.uniform(0.0, 1.0, (500, 3)).astype(np.float32), names)
    fitted = fit_segments(Rfm(), cohort, previous=None, rng=rng)
    best = fitted.assign(np.array([0.0, 1.0, 1.0], np.float32))
    worst = fitted.assign(np.array([1.0, 0.0, 0.0], np.float32))
    words = {segment.id: segment.description for segment in fitted.segments}
    assert words[best] == "RFM score 12 to 15 of 15"
    assert words[worst] == "RFM score 3 to 7 of 15"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ValueTiers((0.5, 0.5)), r"must increase, above 0 and below 1, got \(0.5, 0.5\)"),
        (lambda: ValueTiers((0.0,)), "must increase"),
        (lambda: Rfm(14), "n_bins must be 2 to 12, got 14"),
    ],
)
def test_settings_out_of_range_are_refused(build, message):
    with pytest.raises(SegmentationError, match=message):
        build()


def test_missing_features_are_named():
    with pytest.raises(SegmentationError, match="vectors lack tenure_days, recency_days"):
        ValueTiers().fit(spenders([1.0]), None, np.random.default_rng(0))
