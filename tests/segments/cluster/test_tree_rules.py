import numpy as np
import pytest

from segments.cluster.assign.flat_tree import LEAF
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.tree_rules import TreeRules, explain
from segments.errors import SegmentationError

NAMES = ("orders", "revenue_cents", "recency_days", "now_hour_sin")


def cohort(seed=0, n=900):
    """Who ordered often and lately spends; the hour of the fit fits best and says nothing."""
    rng = np.random.default_rng(seed)
    vectors = rng.uniform(0.0, 1.0, (n, 4)).astype(np.float32)
    spends = (vectors[:, 0] > 0.5) & (vectors[:, 2] < 0.4)
    target = np.where(spends, 100.0, 5.0) + rng.normal(0.0, 1.0, n)
    vectors[:, 3] = target / 100.0
    return Cohort(vectors, NAMES, target)


def fit(visitors, previous=None, family=None, seed=0):
    rng = np.random.default_rng(seed)
    return fit_segments(family or TreeRules(), visitors, previous=previous, rng=rng)


def test_the_rules_that_made_the_target_are_found_and_said_in_words():
    fitted = fit(cohort(), family=TreeRules(max_leaves=3))
    best = max(fitted.segments, key=lambda segment: segment.means[3])
    assert best.description == "last purchase under 9.6 days ago, 7 or more orders"
    assert len(fitted.segments) == 3


def test_leaves_hold_to_depth_number_and_share():
    visitors = cohort()
    visitors = Cohort(visitors.vectors, NAMES, visitors.vectors[:, :3].sum(axis=1).astype(float))
    tree = fit(visitors).assigner
    assert (tree.left == LEAF).sum() == 12
    assert max(len(leaf.bounds) for leaf in tree.leaves()) <= 4
    assert np.bincount(tree.labels(visitors.vectors)).min() >= 0.02 * len(visitors)


def test_segments_beyond_the_eight_places_do_without_one():
    visitors = cohort()
    visitors = Cohort(visitors.vectors, NAMES, visitors.vectors[:, :3].sum(axis=1).astype(float))
    fitted = fit(visitors)
    slots = [fitted.slot(segment.id) for segment in fitted.segments]
    assert sorted(slot for slot in slots if slot is not None) == list(range(8))
    assert slots.count(None) == len(fitted.segments) - 8


def test_a_refit_keeps_the_tree_unless_a_new_one_is_worth_it():
    first = fit(cohort())
    same = fit(cohort(seed=1), first)
    assert (same.assigner.threshold == first.assigner.threshold).all()
    changed = cohort(seed=2)
    other = Cohort(changed.vectors, NAMES, np.where(changed.vectors[:, 1] > 0.5, 90.0, 1.0))
    assert set(fit(other, first).assigner.feature.tolist()) != set(first.assigner.feature.tolist())


def test_a_surrogate_says_what_a_model_does_and_how_faithfully():
    visitors = cohort()
    rules = fit(visitors)
    said = explain(rules, visitors, np.random.default_rng(0))
    assert said.fidelity > 0.95  # rules are easily said in rules
    assert said.n_leaves <= 12
    assert {name for name, _ in said.rules} <= {segment.id for segment in rules.segments}
    clusters = fit(visitors, family=KMeans(8))
    rough = explain(clusters, visitors, np.random.default_rng(0), max_leaves=2)
    assert rough.fidelity < explain(clusters, visitors, np.random.default_rng(0)).fidelity


def test_fidelity_is_judged_on_visitors_that_the_rules_never_saw():
    """Segments drawn by lot can be learned by heart and not be explained."""
    visitors = cohort(n=300)
    segmentation = fit(visitors, family=KMeans(2))
    lots = np.random.default_rng(5).integers(0, 2, 300).astype(np.intp)
    object.__setattr__(segmentation, "assign_many", lambda vectors: lots)
    assert explain(segmentation, visitors, np.random.default_rng(0)).fidelity < 0.65


def test_a_missing_target_is_asked_for():
    visitors = Cohort(cohort().vectors, NAMES)
    with pytest.raises(SegmentationError, match="give the cohort a target"):
        fit(visitors)
    with pytest.raises(SegmentationError, match="nothing to split by"):
        fit(Cohort(np.ones((9, 1), np.float32), ("known",), np.ones(9)))
    with pytest.raises(SegmentationError, match=r"target must have shape \(9,\), got \(8,\)"):
        Cohort(np.ones((9, 1), np.float32), ("known",), np.ones(8))
    with pytest.raises(SegmentationError, match="max_leaves must be 2 to 12, got 13"):
        TreeRules(max_leaves=13)
