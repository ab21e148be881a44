import numpy as np
import pytest

from segments.cluster.assign.tiers import RFM_FEATURES
from segments.cluster.family import Cohort
from segments.cluster.kmeans import KMeans
from segments.cluster.tiers import Rfm
from segments.cluster.tree_rules import TreeRules
from segments.errors import SegmentationError
from segments.evaluation.choice import choose
from segments.evaluation.criteria import Criteria

NAMES = ("orders", "revenue_cents")


def cohort(target=True):
    """Three groups, two of which differ in what they go on to spend; an ungrouped feature more."""
    rng = np.random.default_rng(0)
    kind = np.arange(600) % 3
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[kind] + rng.normal(0, 0.08, (600, 2))
    spend = np.array([1.0, 5.0, 9.0])[kind] + rng.normal(0.0, 1.0, 600)
    return Cohort(vectors.astype(np.float32), NAMES, spend if target else None)


def pick(candidates, visitors, **bars):
    criteria = Criteria(**bars) if bars else None
    return choose(candidates, visitors, np.random.default_rng(0), criteria, n_draws=4)


@pytest.mark.parametrize("target", [True, False])
def test_the_number_of_groups_that_are_there_is_chosen(target):
    found = pick({f"k={k}": KMeans(k) for k in (2, 3, 5)}, cohort(target))
    assert found.chosen == "k=3"
    assert "stable" in found.reason
    five = found.scored[2]
    assert five.n_segments == 5
    assert any("ARI" in said for said in five.shortfalls)


def test_value_is_judged_on_visitors_that_the_model_never_saw():
    visitors = cohort()
    lots = Cohort(visitors.vectors, NAMES, np.random.default_rng(1).normal(0.0, 1.0, 600))
    (scored,) = pick({"rules": TreeRules()}, lots).scored
    assert scored.eta_squared < 0.1  # grown on luck, a tree explains more of it than that


def test_if_nothing_is_good_enough_the_most_stable_is_taken_and_said_to_be_short():
    found = pick({"k=5": KMeans(5), "k=3": KMeans(3)}, cohort(), ari_mean=1.1)
    assert found.chosen == "k=3"
    assert found.reason.startswith("none meets the criteria")
    assert all(one.shortfalls for one in found.scored)


def test_a_family_that_renames_people_at_every_refit_is_not_chosen():
    """Quintiles cut anywhere, and anywhere else a month later; groups stay."""
    rng = np.random.default_rng(3)
    now, then = (
        Cohort(rng.uniform(0.0, 1.0, (400, 3)).astype(np.float32) ** power, RFM_FEATURES)
        for power in (2.0, 1.0)
    )
    found = choose({"rfm": Rfm()}, now, rng, earlier=then, n_draws=2)
    assert found.scored[0].churn > 0.1
    assert any("model churn" in said for said in found.scored[0].shortfalls)


def test_no_candidates_are_refused():
    with pytest.raises(SegmentationError, match="name at least one family"):
        pick({}, cohort())
