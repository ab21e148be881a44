"""What every family of segments promises, however it groups. A new family joins with one line."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import model_file
from segments.cluster.assign.base import NOISE
from segments.cluster.assign.kinds import ASSIGNERS
from segments.cluster.density import Dbscan, Hdbscan
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.neural import NeuralEncoder
from segments.cluster.segmentation import Segmentation
from segments.cluster.tiers import Rfm, ValueTiers
from segments.cluster.tree_rules import TreeRules
from segments.errors import SegmentationError

FAMILIES = {
    "kmeans": KMeans(4),
    "kmeans, churn budget": KMeans(4, max_churn=0.02),
    "dbscan": Dbscan(),
    "hdbscan": Hdbscan(),
    "rules": TreeRules(),
    "rfm": Rfm(),
    "past spend": ValueTiers(expected=False),
    "expected spend": ValueTiers(),
    "expected spend, churn budget": ValueTiers(max_churn=0.01),
}
TRAINED = {
    "neural": NeuralEncoder(4, n_steps=120),
    "neural, foresight and churn budget": NeuralEncoder(
        4, foresight=True, n_steps=120, max_churn=0.02
    ),
}
"""Those that need torch to be fitted."""
if find_spec("torch"):
    FAMILIES |= TRAINED
STEADINESS = {"rfm": 0.8}
"""Of those who keep their segment, where it is not 0.9: RFM's quintiles cut through crowds."""
NAMES = (
    "recency_days",
    "orders",
    "revenue_cents",
    "tenure_days",
    "orders_per_30_days",
    "average_order_cents",
    "known",
)
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


def cohort(seed=0, n=400, shift=0.0):
    """Four kinds of customers, some in between, and what they went on to spend."""
    rng = np.random.default_rng(seed)
    kinds = np.array(
        [
            [0.9, 0.2, 0.4, 0.9, 0.0, 0.6, 1.0],
            [0.2, 0.8, 0.9, 0.9, 0.7, 0.6, 1.0],
            [0.3, 0.4, 0.6, 0.4, 0.3, 0.7, 1.0],
            [0.1, 0.2, 0.5, 0.1, 0.4, 0.6, 1.0],
        ]
    )
    vectors = kinds[np.arange(n) % 4] + rng.normal(shift, 0.03, (n, len(NAMES)))
    vectors[: n // 20] = rng.uniform(0.0, 1.0, (n // 20, len(NAMES)))
    target = np.maximum(0.0, vectors[:, 2] * 1_000.0 + rng.normal(0.0, 50.0, n))
    return Cohort(vectors.astype(np.float32), NAMES, target)


def fit(family, visitors, previous=None, seed=0):
    return fit_segments(family, visitors, previous=previous, rng=np.random.default_rng(seed))


def test_every_kind_of_saved_model_is_under_contract():
    kinds = {fit(family, cohort()).assigner.kind for family in FAMILIES.values()}
    assert kinds == set(ASSIGNERS) - (set() if find_spec("torch") else {"neural"})


@every_family
def test_every_segment_has_members_and_shares_add_up(family):
    visitors = cohort()
    fitted = fit(family, visitors)
    labels = fitted.assign_many(visitors.vectors)
    clusters = [segment for segment in fitted.segments if segment.id != "noise"]
    assert set(labels) - {NOISE} == set(range(len(clusters)))
    assert len(clusters) == fitted.assigner.n_labels >= 2
    assert sum(segment.size for segment in fitted.segments) == len(visitors)
    assert sum(segment.share for segment in fitted.segments) == pytest.approx(1.0)
    assert [s.size for s in fitted.segments if s.id == "noise"] == (
        [(labels == NOISE).sum()] if (labels == NOISE).any() else []
    )
    assert all(segment.description for segment in fitted.segments)


@every_family
@settings(max_examples=10)
@given(seed=st.integers(0, 1_000))
def test_one_at_a_time_equals_all_at_once(family, seed):
    fitted = fit(family, cohort())
    vectors = np.random.default_rng(seed).uniform(-0.2, 1.2, (20, len(NAMES))).astype(np.float32)
    many = fitted.assign_many(vectors)
    assert [fitted.assigner.label(row) for row in vectors] == many.tolist()
    ids = [segment.id for segment in fitted.segments if segment.id != "noise"]
    assert [fitted.assign(row) for row in vectors] == [
        "noise" if label == NOISE else ids[label] for label in many
    ]


@every_family
def test_a_saved_model_answers_as_before(family):
    fitted = fit(family, cohort())
    loaded = Segmentation.from_state(*model_file.load(model_file.dump(*fitted.state())))
    assert loaded.segments == fitted.segments
    others = cohort(seed=9).vectors
    assert (loaded.assign_many(others) == fitted.assign_many(others)).all()
    assert model_file.dump(*loaded.state()) == model_file.dump(*fitted.state())


@every_family
def test_damaged_arrays_are_refused(family):
    manifest, arrays = fit(family, cohort()).state()
    for name, array in arrays.items():
        rest = {other: kept for other, kept in arrays.items() if other != name}
        broken = [rest, {**rest, name: array[..., None]}]
        if array.dtype.kind == "f":
            broken.append({**rest, name: np.full_like(array, np.nan)})
        else:
            broken.append({**rest, name: np.full_like(array, 10_000)})
        for damaged in broken:
            with pytest.raises(SegmentationError, match="fit the segments again"):
                Segmentation.from_state(manifest, damaged)


@every_family
def test_the_same_state_of_the_generator_repeats_bit_for_bit(family):
    one, two = fit(family, cohort(), seed=3), fit(family, cohort(), seed=3)
    assert model_file.dump(*one.state()) == model_file.dump(*two.state())


@every_family
def test_the_cohort_is_not_changed(family):
    visitors = cohort()
    before = visitors.vectors.copy(), visitors.target.copy()
    fit(family, visitors, fit(family, visitors))
    assert (visitors.vectors == before[0]).all()
    assert (visitors.target == before[1]).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_refit_on_slightly_other_visitors_keeps_the_names(name):
    family = FAMILIES[name]
    visitors, later = cohort(), cohort(seed=1, shift=0.005)
    first = fit(family, visitors)
    second = fit(family, later, first, seed=7)
    assert second.version == 2
    old, new = (s.assign_many(later.vectors) for s in (first, second))
    old_ids = [first.segments[i].id if i >= 0 else "noise" for i in old]
    new_ids = [second.segments[i].id if i >= 0 else "noise" for i in new]
    assert np.mean([a == b for a, b in zip(old_ids, new_ids, strict=True)]) >= STEADINESS.get(
        name, 0.9
    )


@every_family
def test_renumbering_is_only_that(family):
    fitted, vectors = fit(family, cohort()).assigner, cohort(seed=2).vectors
    order = np.random.default_rng(0).permutation(fitted.n_labels).tolist()
    renumbered = fitted.reordered(order)
    old, new = fitted.labels(vectors), renumbered.labels(vectors)
    assert (old == [NOISE if label == NOISE else order[label] for label in new]).all()


@every_family
@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_few_and_identical_visitors_make_a_sane_result(family, n):
    vectors = np.full((n, len(NAMES)), 0.5, np.float32)
    fitted = fit(family, Cohort(vectors, NAMES, np.ones(n)))
    assert sum(segment.size for segment in fitted.segments) == n
    assert len({fitted.assign(row) for row in vectors}) == 1
    again = fit(family, Cohort(vectors, NAMES, np.ones(n)), fitted)
    assert [s.id for s in again.segments] == [s.id for s in fitted.segments]


@every_family
def test_missing_visitors_and_broken_values_are_refused(family):
    with pytest.raises(SegmentationError, match="no visitors"):
        fit(family, Cohort(np.empty((0, 2), np.float32), NAMES[:2]))
    with pytest.raises(SegmentationError, match="orders hold NaN"):
        fit(family, Cohort(np.array([[0.0, np.nan]], np.float32), NAMES[:2]))


@every_family
def test_a_change_of_family_keeps_the_names_of_the_same_people(family):
    visitors = cohort()
    before = fit(KMeans(4), visitors)
    after = fit(family, visitors, before)
    born = {step.segment_id for step in after.lineage if step.change in ("born", "split")}
    kept = {s.id for s in after.segments} - born - {"noise"}
    assert kept <= {s.id for s in before.segments}
    assert not born & {s.id for s in before.segments}
    slots = [s.slot for s in after.segments if s.slot >= 0]
    assert len(set(slots)) == len(slots)
