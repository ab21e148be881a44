import json
import pickle

import numpy as np
import pytest

from segments.cluster.assign.kinds import load_assigner
from segments.cluster.kmeans import fit_kmeans
from segments.cluster.segmentation import N_SLOTS, Segmentation
from segments.errors import SegmentationError
from tests.segments.cluster.test_kmeans import NAMES, blobs


@pytest.fixture(scope="module")
def fitted():
    return fit_kmeans(blobs(), NAMES, 4, previous=None, seed=0)


def test_one_at_a_time_equals_all_at_once(fitted):
    many = [fitted.segments[i].id for i in fitted.assign_many(blobs(seed=5))]
    assert [fitted.assign(row) for row in blobs(seed=5)] == many


def test_the_nearest_centroid_wins(fitted):
    rows = blobs(seed=6)
    scaled = fitted.assigner.scaling.apply(rows)
    distances = ((scaled[:, None] - fitted.assigner.centroids[None]) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == fitted.assign_many(rows)).all()


def test_state_round_trips_through_json(fitted):
    manifest, arrays = fitted.state()
    loaded = Segmentation.from_state(json.loads(json.dumps(manifest)), arrays)
    assert loaded.segments == fitted.segments
    assert loaded.lineage == fitted.lineage
    assert (loaded.assign_many(blobs()) == fitted.assign_many(blobs())).all()
    assert (loaded.version, loaded.next_number) == (fitted.version, fitted.next_number)
    assert pickle.loads(pickle.dumps(loaded)).segments == fitted.segments


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "linucb"},
        {"schema": 99},
        {"segments": []},
        {"segments": [{}]},
        {"version": "x"},
        {"lineage": None},
    ],
)
def test_a_foreign_or_damaged_manifest_is_refused(fitted, change):
    manifest, arrays = fitted.state()
    with pytest.raises(SegmentationError, match="fit the segments again"):
        Segmentation.from_state({**manifest, **change}, arrays)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("columns", np.array([0, 1, 99])),
        ("centre", np.zeros(7)),
        ("scale", np.zeros(3)),
        ("centroids", np.full((4, 3), np.nan)),
    ],
)
def test_damaged_arrays_are_refused(fitted, name, array):
    manifest, arrays = fitted.state()
    with pytest.raises(SegmentationError, match="fit the segments again"):
        Segmentation.from_state(manifest, {**arrays, name: array})
    del arrays[name]
    with pytest.raises(SegmentationError, match=name):
        Segmentation.from_state(manifest, arrays)


def test_slots_are_distinct_small_and_known_by_name(fitted):
    slots = [fitted.slot(segment.id) for segment in fitted.segments]
    assert len(set(slots)) == 4
    assert set(slots) <= set(range(N_SLOTS))
    with pytest.raises(SegmentationError, match="s1"):
        fitted.slot("s99")


def test_other_features_are_refused_by_name(fitted):
    fitted.require_features(NAMES)
    with pytest.raises(SegmentationError, match="recency_days"):
        fitted.require_features(("orders", "revenue_cents", "new_one", "known"))
    with pytest.raises(SegmentationError, match="shape"):
        fitted.assign_many(blobs()[:, :2])


def test_a_file_of_before_there_were_other_models_still_loads(fitted):
    manifest, arrays = fitted.state()
    del manifest["model"]
    loaded = Segmentation.from_state({**manifest, "schema": 1}, arrays)
    assert (loaded.assign_many(blobs()) == fitted.assign_many(blobs())).all()


def test_an_unknown_model_is_refused_by_name(fitted):
    manifest, arrays = fitted.state()
    with pytest.raises(SegmentationError, match="model of kind 'magic'; known are kmeans"):
        Segmentation.from_state({**manifest, "model": "magic"}, arrays)


def test_a_tree_that_would_never_end_is_refused():
    loop = {"left": np.array([0]), "right": np.array([0]), "feature": np.array([0])}
    loop |= {"threshold": np.array([0.0]), "leaf_label": np.array([0])}
    with pytest.raises(SegmentationError, match="form no tree"):
        load_assigner("rules", loop, 4)
