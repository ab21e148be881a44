import numpy as np
import pytest

from segments.cluster.family import Cohort
from segments.cluster.kmeans import KMeans
from segments.errors import SegmentationError
from segments.evaluation.choice import choose
from segments.evaluation.criteria import Criteria, Findings, shortfalls
from segments.evaluation.separation import Separation
from segments.evaluation.stability import Stability

SOUND = Findings(
    Stability(0.98, 0.9, (0.9, 0.9)), Separation(0.5, 0.7, 0.9, 0.2, 0.1), 0.01, 0.3, 0.2
)


def test_what_holds_everything_lacks_nothing():
    assert shortfalls(SOUND, Criteria(over_baseline=0.05)) == ()


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        ({"ari_mean": 0.99}, "mean ARI 0.980"),
        ({"ari_min": 0.95}, "minimum ARI 0.900"),
        ({"smallest": 0.3}, "smallest segment 20.00%"),
        ({"noise": 0.05}, "noise 10%"),
        ({"churn": 0.0}, "model churn 1.0%"),
        ({"over_baseline": 0.2}, "knows less than the baseline's 0.200"),
    ],
)
def test_what_is_missed_is_said(bars, said):
    assert shortfalls(SOUND, Criteria(**bars)) == (said,)


def test_what_is_not_known_is_not_missed():
    unknown = Findings(SOUND.stability, SOUND.apart, None, None, None)
    assert shortfalls(unknown, Criteria(churn=0.0, over_baseline=1.0)) == ()


@pytest.mark.parametrize(("name", "value"), [("noise", 1.5), ("churn", -0.1), ("ari_mean", 3.0)])
def test_numbers_out_of_range_are_refused(name, value):
    with pytest.raises(SegmentationError, match=name):
        Criteria(**{name: value})


def test_the_baseline_is_the_better_of_rfm_and_past_spend():
    """Spend follows what was spent: tiers of it know that, and groups by recency do not."""
    rng = np.random.default_rng(0)
    vectors = rng.uniform(0.0, 1.0, (600, 3)).astype(np.float32)
    names = ("recency_days", "orders", "revenue_cents")
    spend = np.expm1(8.0 * vectors[:, 2].astype(float))
    by_recency = {"recency": KMeans(2, features=("recency_days",))}
    asked = Criteria(-1.0, -1.0, over_baseline=0.0)
    found = choose(by_recency, Cohort(vectors, names, spend), rng, asked, n_draws=2)
    assert found.baseline > 0.3
    assert found.winner.shortfalls == (f"knows less than the baseline's {found.baseline:.3f}",)
