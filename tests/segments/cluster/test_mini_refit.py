"""Centroids follow those who are active, within a budget and under their names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.cluster.density import Dbscan
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.mini_refit import mini_refit
from segments.errors import SegmentationError

NAMES = ("recency_days", "orders", "revenue_cents")
KINDS = np.array([[0.9, 0.2, 0.3], [0.2, 0.8, 0.5], [0.4, 0.5, 0.9]])


def shop(seed=0, shift=0.0, n=300, spread=0.08):
    """Three kinds of visitors; the first drifts by `shift` in every feature."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    rows = KINDS[kind] + rng.normal(0.0, spread, (n, 3))
    rows[kind == 0] += shift
    return Cohort(rows.astype(np.float32), NAMES)


def fitted(family=None):
    rng = np.random.default_rng(0)
    return fit_segments(family or KMeans(3), shop(), previous=None, rng=rng)


def everybody(cohort):
    return np.ones(len(cohort), np.bool_)


def middle(segmentation, segment_id):
    at = [segment.id for segment in segmentation.segments].index(segment_id)
    model = segmentation.assigner
    return model.centroids[at] * model.scaling.scale + model.scaling.centre


def test_a_kind_that_drifts_is_followed_step_by_step():
    first = now = fitted()
    drifting = first.assign(shop().vectors[0])
    for step in range(1, 9):
        cohort = shop(seed=step, shift=-0.03 * step)
        now = mini_refit(now, cohort, everybody(cohort), max_churn=0.05)
    last = shop(seed=99, shift=-0.24).vectors[::3].mean(axis=0)
    went = [np.abs(middle(one, drifting) - last).max() for one in (first, now)]
    assert went[1] < went[0] / 2
    assert now.version > first.version


@settings(max_examples=15)
@given(shift=st.floats(-0.6, 0.6), budget=st.floats(0.0, 0.2), share=st.floats(0.0, 1.0))
def test_names_stay_and_the_budget_holds(shift, budget, share):
    before, cohort = fitted(), shop(seed=1, shift=shift)
    active = np.random.default_rng(0).random(len(cohort)) < share
    after = mini_refit(before, cohort, active, budget)
    assert [one.id for one in after.segments] == [one.id for one in before.segments]
    assert [one.slot for one in after.segments] == [one.slot for one in before.segments]
    moved = before.assign_many(cohort.vectors) != after.assign_many(cohort.vectors)
    assert moved.mean() <= budget
    assert after.next_number == before.next_number


def test_nobody_active_changes_nothing():
    before, cohort = fitted(), shop(seed=1)
    assert mini_refit(before, cohort, np.zeros(len(cohort), np.bool_)) is before


def test_those_who_were_not_active_do_not_pull():
    before, cohort = fitted(), shop(seed=1, shift=-0.2)
    active = np.arange(len(cohort)) % 3 != 0  # all but the kind that has drifted
    after = mini_refit(before, cohort, active, 1.0)
    drifted = before.assign(shop().vectors[0])
    moved = np.abs(middle(after, drifted) - middle(before, drifted)).max()
    assert moved < 0.02


def test_sizes_and_words_are_those_of_everybody_now():
    before, cohort = fitted(), shop(seed=1, n=600)
    active = np.arange(600) < 10
    after = mini_refit(before, cohort, active)
    assert sum(segment.size for segment in after.segments) == 600
    assert {step.change for step in after.lineage} == {"kept"}


def test_other_families_features_and_budgets_are_refused():
    cohort = shop()
    with pytest.raises(SegmentationError, match="this is density: refit it instead"):
        mini_refit(fitted(Dbscan()), cohort, everybody(cohort))
    with pytest.raises(SegmentationError, match="max_churn must be a share"):
        mini_refit(fitted(), cohort, everybody(cohort), -1.0)
    narrow = Cohort(cohort.vectors[:, :2], NAMES[:2])
    with pytest.raises(SegmentationError, match="fitted on other features"):
        mini_refit(fitted(), narrow, everybody(narrow))
