"""A refit within its budget: counted by names, as people see it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.tiers import ValueTiers
from segments.errors import SegmentationError

NAMES = ("orders", "revenue_cents", "recency_days")
BUDGET = 0.03


def crowd(rng, n, shift):
    """Visitors in a few uneven clumps, some of them drifting."""
    centres = rng.random((5, 3))
    sizes = rng.dirichlet(np.full(5, 0.7))
    of = rng.choice(5, n, p=sizes)
    vectors = centres[of] + rng.normal(0.0, 0.08, (n, 3)) + shift * (of[:, None] % 2)
    return Cohort(np.clip(vectors, 0.0, 2.0).astype(np.float32), NAMES)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(40, 300),
    shift=st.floats(0.0, 0.4),
    k=st.integers(2, 7),
    tiers=st.booleans(),
)
def test_no_refit_within_a_budget_renames_more_than_it_allows(seed, n, shift, k, tiers):
    rng = np.random.default_rng(seed)
    family = ValueTiers((0.5, 0.8, 0.95), expected=False, max_churn=BUDGET)
    if not tiers:
        family = KMeans(k, BUDGET)
    state = rng.bit_generator.state
    before = crowd(rng, n, 0.0)
    rng.bit_generator.state = state
    after = crowd(rng, n, shift)  # the same people, of whom some have moved on
    old = fit_segments(family, before, previous=None, rng=rng)
    labels = old.assign_many(after.vectors)
    if len(np.unique(labels)) < old.assigner.n_labels and tiers:
        return  # a tier that nobody is in any more cannot be kept
    new = fit_segments(family, after, previous=old, rng=rng)
    assert new.churn is not None
    assert new.churn <= BUDGET


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(SegmentationError, match="max_churn must be a share"):
        KMeans(3, share)


def test_a_refit_far_from_its_optimum_takes_a_small_step_rather_than_none():
    rng = np.random.default_rng(0)
    spent = np.clip(rng.normal(0.4, 0.1, (2_000, 1)), 0.0, 1.0).repeat(3, axis=1)  # logarithms
    family = ValueTiers(expected=False, max_churn=BUDGET)
    first, second = (Cohort((spent * by).astype(np.float32), NAMES) for by in (1.0, 1.5))
    old = fit_segments(family, first, previous=None, rng=rng)
    new = fit_segments(family, second, previous=old, rng=rng)
    assert 0.0 < new.churn <= BUDGET
    again = fit_segments(family, second, previous=new, rng=rng)
    assert again.assigner.cuts[0] > new.assigner.cuts[0] > old.assigner.cuts[0]
