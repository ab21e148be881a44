import numpy as np
import pytest

from segments.cluster.assign.centroids import Centroids
from segments.cluster.scaling import RobustScaling
from segments.cluster.segmentation import Segment, Segmentation
from segments.errors import SegmentationError
from segments.evaluation.migration import Move, migration

SCALING = RobustScaling(np.array([0]), np.zeros(1), np.full(1, 100.0))


def model(*edges, ids=("low", "mid", "high")):
    """Segments on a line, cut at the edges."""
    centres = [edges[0] - 1.0]
    for edge in edges:
        centres.append(2.0 * edge - centres[-1])
    segments = [Segment(i, n, 1, 0.0, "", None, ()) for n, i in enumerate(ids)]
    centroids = Centroids(SCALING, np.array(centres)[:, None] / 100.0)
    return Segmentation(1, ["orders"], centroids, segments=segments, lineage=[], next_number=9)


def at(**orders):
    return list(orders), np.array([[x] for x in orders.values()], np.float32)


def test_each_move_has_its_cause():
    old, new = model(10.0, 20.0), model(12.0, 22.0)
    found = migration(
        old,
        new,
        at(same=1.0, renamed=11.0, active=1.0, overtaken=1.0, gone=30.0),
        at(same=2.0, renamed=11.0, active=15.0, overtaken=21.0, fresh=30.0),
    )
    assert {move.visitor: move for move in found.moves} == {
        "same": Move("same", "low", "low", "kept"),
        "renamed": Move("renamed", "mid", "low", "model"),
        "active": Move("active", "low", "mid", "behaviour"),
        "overtaken": Move("overtaken", "low", "mid", "both"),
        "fresh": Move("fresh", None, "high", "came"),
        "gone": Move("gone", "high", None, "left"),
    }
    assert found.model_churn == pytest.approx(2 / 5)
    assert found.migrated == pytest.approx(2 / 4)
    assert found.kept == pytest.approx(1 / 4)
    assert found.flows()["low", "mid", "both"] == 1


def test_the_same_model_on_the_same_visitors_moves_nobody():
    same = model(10.0, 20.0)
    found = migration(same, same, at(a=1.0, b=30.0), at(a=1.0, b=30.0))
    assert (found.model_churn, found.migrated, found.kept) == (0.0, 0.0, 1.0)
    assert found.population_shift == pytest.approx(0.0)


def test_a_population_that_fills_other_segments_has_shifted():
    same, rng = model(10.0, 20.0), np.random.default_rng(0)
    people = [f"v{i}" for i in range(300)]
    before = rng.uniform(0.0, 30.0, (300, 1)).astype(np.float32)
    alike = rng.uniform(0.0, 30.0, (300, 1)).astype(np.float32)
    found = migration(same, same, (people, before), (people, alike))
    assert found.population_shift < 0.1
    assert found.migrated > 0.5  # people swap places, the population stays
    crowded = migration(same, same, (people, before), (people, before / 2.0))
    assert crowded.population_shift > 0.25


def test_nobody_to_compare_is_said():
    with pytest.raises(SegmentationError, match="both times need some"):
        migration(model(1.0, 2.0), model(1.0, 2.0), at(), at(a=1.0))
