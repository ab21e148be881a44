import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans, fit_kmeans
from segments.errors import SegmentationError
from segments.event import Event, Product
from segments.pipeline import Pipeline

NAMES = ("orders", "revenue_cents", "recency_days", "known")
DATA = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
CDNOW = DATA / "cdnow" / "CDNOW_sample.txt.gz"


def blobs(n_each=200, n_blobs=4, seed=0, spread=0.05):
    """Well-apart groups; the last feature is noise that segments have to ignore."""
    rng = np.random.default_rng(seed)
    centres = np.array([[i % 2, i // 2, (i * 0.7) % 1] for i in range(n_blobs)], float)
    rows = np.repeat(centres, n_each, axis=0) + rng.normal(0.0, spread, (n_blobs * n_each, 3))
    return np.column_stack([rows, rng.normal(0.0, 50.0, len(rows))]).astype(np.float32)


def fit(vectors, n_segments=4, names=NAMES, previous=None, seed=0):
    return fit_kmeans(vectors, names, n_segments, previous=previous, seed=seed)


def ids(segmentation, vectors):
    return np.array([segmentation.segments[i].id for i in segmentation.assign_many(vectors)])


def test_known_groups_are_found():
    labels = fit(blobs()).assign_many(blobs())
    assert [len(set(group)) for group in labels.reshape(4, 200)] == [1, 1, 1, 1]
    assert len(set(labels)) == 4


def test_a_first_fit_names_the_most_valuable_first():
    segmentation = fit(blobs())
    assert [segment.id for segment in segmentation.segments] == ["s1", "s2", "s3", "s4"]
    values = [segment.value_cents for segment in segmentation.segments]
    assert values == sorted(values, reverse=True)
    assert sum(segment.size for segment in segmentation.segments) == 800
    assert sum(segment.share for segment in segmentation.segments) == pytest.approx(1.0)
    assert {step.change for step in segmentation.lineage} == {"born"}


def test_the_same_seed_repeats_bit_for_bit():
    one, two = fit(blobs(), seed=3), fit(blobs(), seed=3)
    assert one.assigner.centroids.tobytes() == two.assigner.centroids.tobytes()
    assert one.segments == two.segments


def test_a_refit_on_slightly_other_visitors_keeps_the_names():
    first = fit(blobs())
    moved = blobs(seed=1) + np.float32(0.03)
    second = fit(moved, previous=first, seed=9)
    assert second.version == 2
    assert (ids(first, blobs()) == ids(second, blobs())).mean() >= 0.9
    assert {step.change for step in second.lineage} == {"kept"}
    assert [s.slot for s in second.segments] == [s.slot for s in first.segments]


def test_more_segments_are_split_off_and_fewer_are_merged_in():
    first = fit(blobs(), n_segments=3)
    second = fit(blobs(), n_segments=4, previous=first)
    assert sorted(step.change for step in second.lineage) == ["kept", "kept", "kept", "split"]
    assert "s4" in {segment.id for segment in second.segments}
    third = fit(blobs(), n_segments=3, previous=second)
    assert len(third.segments) == 3
    assert {s.id for s in third.segments} < {s.id for s in second.segments}
    assert {step.change for step in third.lineage} & {"merged", "died"}
    fourth = fit(blobs(), n_segments=4, previous=third)
    assert "s5" in {segment.id for segment in fourth.segments}  # an id is never given twice


@pytest.mark.parametrize("max_churn", [0.0, 0.02, 0.1])
def test_a_refit_moves_no_more_visitors_than_its_budget_for_the_same_behaviour(max_churn):
    rng = np.random.default_rng(0)
    loose = rng.normal(0.0, 1.0, (600, 4)).astype(np.float32)
    shifted = (rng.normal(0.6, 1.3, (600, 4))).astype(np.float32)
    family, cohort = KMeans(4, max_churn), Cohort(shifted, NAMES)
    old = KMeans(4).fit(Cohort(loose, NAMES), None, rng)
    free, bound = KMeans(4).fit(cohort, old, rng), family.fit(cohort, old, rng)
    churn = [(model.labels(shifted) != old.labels(shifted)).mean() for model in (free, bound)]
    assert churn[0] > 0.1
    assert churn[1] <= max_churn
    again = family.fit(cohort, bound, rng)  # what is left undone goes on
    assert (again.labels(shifted) != old.labels(shifted)).mean() >= churn[1]


@pytest.mark.parametrize("max_churn", [-0.1, 1.5])
def test_a_budget_is_a_share(max_churn):
    with pytest.raises(SegmentationError, match="max_churn must be a share, 0 to 1"):
        KMeans(4, max_churn)


def test_other_features_start_anew_without_reusing_names():
    first = fit(blobs())
    second = fit(blobs()[:, :2], names=NAMES[:2], previous=first)
    assert not {s.id for s in first.segments} & {s.id for s in second.segments}
    assert second.version == 2


def test_a_few_monsters_do_not_make_a_segment_of_their_own():
    vectors = blobs()
    vectors[:3, :3] = 1e6
    assert min(segment.size for segment in fit(vectors).segments) > 100


@pytest.mark.parametrize(
    ("vectors", "n_segments"),
    [
        (blobs()[:3], 4),
        (blobs()[:1], 5),
        (np.ones((50, 4), np.float32), 4),
        (np.repeat(np.eye(2, 4, dtype=np.float32), 9, axis=0), 4),
    ],
    ids=["fewer than segments", "one", "identical", "two kinds"],
)
def test_too_few_or_too_similar_visitors_make_fewer_segments(vectors, n_segments):
    segmentation = fit(vectors, n_segments)
    kinds = len(np.unique(vectors[:, :3], axis=0))
    assert 1 <= len(segmentation.segments) <= min(kinds, n_segments)
    assert sum(segment.size for segment in segmentation.segments) == len(vectors)
    again = fit(vectors, n_segments, previous=segmentation)
    assert [s.id for s in again.segments] == [s.id for s in segmentation.segments]


@pytest.mark.parametrize(
    ("vectors", "n_segments", "message"),
    [
        (np.empty((0, 4), np.float32), 3, "no visitors"),
        (np.full((5, 4), np.nan, np.float32), 3, "orders, revenue_cents, recency_days, known"),
        (np.ones((5, 3), np.float32), 3, "shape"),
        (np.ones((5, 4), np.float32), 0, "1 to 8"),
        (np.ones((5, 4), np.float32), 9, "1 to 8"),
    ],
)
def test_what_cannot_be_clustered_is_refused_by_name(vectors, n_segments, message):
    with pytest.raises(SegmentationError, match=message):
        fit(vectors, n_segments)


def test_features_without_behaviour_are_refused():
    with pytest.raises(SegmentationError, match="nothing to segment by"):
        fit(np.ones((5, 1), np.float32), names=("known",))


@pytest.mark.skipif(not CDNOW.exists(), reason=f"{CDNOW} is not there; SEGUE_DATA names the folder")
@pytest.mark.parametrize("n_segments", [4, 5, 6])
def test_on_real_customers_a_month_later_nine_of_ten_keep_their_segment(n_segments):
    pipeline, first = Pipeline(), datetime(1998, 1, 1, tzinfo=UTC)
    rows = [line.split() for line in gzip.decompress(CDNOW.read_bytes()).decode().splitlines()]
    rows.sort(key=lambda row: row[2])
    second = datetime(1998, 2, 1, tzinfo=UTC)
    early = [row for row in rows if row[2] < "19980101"]
    late = [row for row in rows if "19980101" <= row[2] < "19980201"]
    _observe(pipeline, early, 0)
    _, before = pipeline.matrix(first)
    old = fit_kmeans(before, pipeline.feature_names, n_segments, previous=None, seed=0)
    _observe(pipeline, late, len(early))
    _, after = pipeline.matrix(second)
    new = fit_kmeans(after, pipeline.feature_names, n_segments, previous=old, seed=1)
    assert (ids(old, before) == ids(new, after)).mean() >= 0.9


def _observe(pipeline, rows, first_seq):
    for seq, (customer, _, day, pieces, dollars) in enumerate(rows, first_seq):
        timestamp = datetime.strptime(day + "12+0000", "%Y%m%d%H%z")
        total, lines = round(float(dollars) * 100), (Product(quantity=int(pieces)),)
        event = Event(
            f"m{seq}",
            "Order Completed",
            f"c{customer}",
            timestamp,
            total_cents=total,
            products=lines,
        )
        pipeline.observe(event, seq)


def test_a_cluster_that_everybody_left_goes_and_nobody_else_moves():
    rng = np.random.default_rng(0)
    places = [rng.normal(at, 0.01, (50, 2)) for at in ([0.1, 0.1], [0.9, 0.1], [0.5, 0.9])]
    first = Cohort(np.vstack(places).astype(np.float32), ("orders", "revenue_cents"))
    old = fit_segments(KMeans(3, 0.03), first, previous=None, rng=rng)
    second = Cohort(np.vstack(places[:2]).astype(np.float32), ("orders", "revenue_cents"))
    new = fit_segments(KMeans(3, 0.03), second, previous=old, rng=rng)
    assert new.churn == 0.0
    assert len(new.segments) == 2
    assert sorted(step.change for step in new.lineage) == ["died", "kept", "kept"]
