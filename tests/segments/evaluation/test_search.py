import numpy as np
import pytest

from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.tiers import Rfm
from segments.errors import SegmentationError
from segments.evaluation.criteria import Criteria
from segments.evaluation.search import Periods, candidates, search
from segments.pipeline import Pipeline

NAMES = ("recency_days", "orders", "revenue_cents")


def period(seed, n=300):
    """Three kinds of customers; what they spend next differs by kind."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    kinds = np.array([[0.9, 0.2, 0.3], [0.2, 0.8, 0.5], [0.4, 0.5, 0.9]])
    vectors = (kinds[kind] + rng.normal(0.0, 0.03, (n, 3))).astype(np.float32)
    return Cohort(vectors, NAMES, np.array([1.0, 20.0, 6.0])[kind] + rng.normal(0.0, 2.0, n))


def periods():
    return Periods(period(1), period(2), period(0))


def look(tried, **settings):
    return search(tried, periods(), np.random.default_rng(0), n_draws=3, **settings)


def in_use(family):
    return fit_segments(family, period(0), previous=None, rng=np.random.default_rng(1)), family


def test_a_better_one_is_found_and_passes_the_gate():
    found = look({f"k={k}": KMeans(k, 0.03) for k in (2, 3)}, incumbent=in_use(KMeans(2)))
    assert found.choice.chosen == "k=3"
    assert found.family == KMeans(3, 0.03)
    assert found.verdict.promoted
    assert found.verdict.challenger > found.verdict.incumbent


def test_one_that_is_no_better_than_what_is_in_use_does_not_pass():
    found = look({"k=3": KMeans(3)}, incumbent=in_use(KMeans(3)))
    assert not found.verdict.promoted
    assert found.choice.beside.shortfalls == ()


def test_a_winner_that_misses_the_criteria_does_not_pass_whatever_it_knows():
    found = look({"k=3": KMeans(3)}, criteria=Criteria(smallest=0.4))
    assert not found.verdict.promoted
    assert found.verdict.reason.startswith("misses the criteria: smallest segment 33")


def test_each_candidate_is_told_as_it_is_measured():
    told = []
    tried = {"k=2": KMeans(2), "rfm": Rfm()}
    look(tried, incumbent=in_use(KMeans(3)), told=lambda one: told.append(one.name))
    assert told == ["k=2", "rfm", "in use"]


def test_the_same_seed_finds_the_same():
    one, two = (look({"k=2": KMeans(2), "k=3": KMeans(3)}) for _ in range(2))
    assert (one.choice, one.verdict) == (two.choice, two.verdict)


def test_the_luck_of_having_searched_is_not_taken_for_knowledge():
    """Spend is luck: of many candidates the luckiest on one period is nothing on the next."""
    rng = np.random.default_rng(3)

    def luck():
        return Cohort(
            rng.uniform(0.0, 1.0, (150, 3)).astype(np.float32), NAMES, rng.lognormal(0.0, 2.0, 150)
        )

    anything = Criteria(-1.0, -1.0, 0.0, 1.0, 1.0)
    tried = {f"k={k}": KMeans(k) for k in range(2, 7)}
    incumbent = in_use(KMeans(2))
    passed = [
        search(
            tried, Periods(luck(), luck()), rng, anything, incumbent=incumbent, n_draws=1
        ).verdict.promoted
        for _ in range(6)
    ]
    assert sum(passed) <= 2


def test_the_grid_holds_features_families_and_numbers():
    tried = candidates(Pipeline.feature_names, [3, 4])
    assert {"k-means, k=3, all", "k-means, k=4, money", "HDBSCAN, habits", "tree rules"} <= set(
        tried
    )
    assert len(tried) == 3 * 3 + 2
    assert not any("money" in name for name in candidates(["orders"], [3]))


def test_a_later_period_without_an_outcome_is_refused():
    blind = Cohort(period(2).vectors, NAMES)
    with pytest.raises(SegmentationError, match="give the cohort a target"):
        search({"k=2": KMeans(2)}, Periods(period(1), blind), np.random.default_rng(0), n_draws=1)
