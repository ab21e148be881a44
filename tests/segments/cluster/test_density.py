import numpy as np
import pytest
from sklearn.cluster import DBSCAN

from segments.cluster.assign.base import NOISE
from segments.cluster.density import MAX_POINTS, Dbscan, Hdbscan
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.errors import SegmentationError
from segments.evaluation.stability import adjusted_rand_index

NAMES = ("orders", "revenue_cents", "discount_share")
CENTRES = np.array([[0.0, 0.0, 0.0], [1.0, 0.2, 0.5], [0.2, 1.0, 1.0]])


def crowds(n_each=150, n_odd=60, seed=0):
    """Three crowds, and odd visitors all over the place; who is which."""
    rng = np.random.default_rng(seed)
    crowd = np.repeat(np.arange(3), n_each)
    rows = CENTRES[crowd] + rng.normal(0.0, 0.05, (len(crowd), 3))
    odd = rng.uniform(-1.0, 2.0, (n_odd, 3))
    labels = np.concatenate([crowd, np.full(n_odd, NOISE)])
    return Cohort(np.vstack([rows, odd]).astype(np.float32), NAMES), labels


families = pytest.mark.parametrize("family", [Dbscan(), Hdbscan()], ids=["dbscan", "hdbscan"])


@families
def test_crowds_are_found_without_being_told_how_many(family):
    visitors, truth = crowds()
    model = family.fit(visitors, None, np.random.default_rng(0))
    assert model.n_labels == 3
    labels = model.labels(visitors.vectors)
    assert adjusted_rand_index(labels[truth >= 0], truth[truth >= 0]) > 0.9
    assert (labels[truth == NOISE] == NOISE).mean() > 0.7


@families
def test_a_visitor_far_from_everyone_is_noise_and_one_amid_a_crowd_is_not(family):
    visitors, _ = crowds()
    fitted = fit_segments(family, visitors, previous=None, rng=np.random.default_rng(0))
    assert fitted.assign(np.array([-3.0, 3.0, -3.0], np.float32)) == "noise"
    assert {fitted.assign(row) for row in CENTRES.astype(np.float32)} == {"s1", "s2", "s3"}
    assert fitted.slot("noise") is None
    assert fitted.segments[-1].id == "noise"


@families
def test_more_visitors_than_points_are_kept_give_the_same_crowds(family):
    visitors, truth = crowds(n_each=800)
    model = family.fit(visitors, None, np.random.default_rng(0))
    assert len(model.points) <= MAX_POINTS
    labels = model.labels(visitors.vectors)
    crowded = truth >= 0
    assert adjusted_rand_index(labels[crowded], truth[crowded]) > 0.85


def test_core_points_of_dbscan_keep_their_cluster():
    visitors, _ = crowds()
    model = Dbscan(min_samples=5, radius=0.3).fit(visitors, None, np.random.default_rng(0))
    points = model.scaling.apply(visitors.vectors)
    theirs = DBSCAN(eps=0.3, min_samples=5).fit(points)
    core = theirs.core_sample_indices_
    assert adjusted_rand_index(model.labels(visitors.vectors)[core], theirs.labels_[core]) == 1.0
    assert ((model.labels(visitors.vectors) == NOISE) == (theirs.labels_ == NOISE)).all()


def test_the_first_to_be_noise_may_come_after_the_fit():
    visitors, truth = crowds(n_odd=1)
    everyone = Cohort(visitors.vectors[truth >= 0], NAMES)
    family = Dbscan(min_samples=2, radius=2.0)
    fitted = fit_segments(family, everyone, previous=None, rng=np.random.default_rng(0))
    assert "noise" not in {segment.id for segment in fitted.segments}
    assert fitted.assign(np.array([-9.0, 9.0, -9.0], np.float32)) == "noise"
    assert fitted.slot("noise") is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dbscan(min_samples=0), "min_samples must be at least 1, got 0"),
        (lambda: Dbscan(radius=-1.0), "radius must be positive"),
        (lambda: Hdbscan(min_share=0.9), "min_share must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(build, message):
    with pytest.raises(SegmentationError, match=message):
        build()
