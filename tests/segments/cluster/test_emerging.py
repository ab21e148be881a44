"""Crowds that come up between two refits are proposed, and what was always there is not."""

import numpy as np
import pytest

from segments.cluster.density import Dbscan
from segments.cluster.emerging import MAX_NEWCOMERS, Newcomers, accepted
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.errors import SegmentationError

NAMES = ("recency_days", "orders", "revenue_cents", "discount_share")
KINDS = np.array([[0.9, 0.2, 0.3, 0.1], [0.2, 0.8, 0.5, 0.2], [0.4, 0.5, 0.9, 0.1]])
BARGAIN_HUNTERS = np.array([0.15, 0.3, 0.2, 0.9])


def shop(n, seed, centres=KINDS, spread=0.05):
    rng = np.random.default_rng(seed)
    rows = centres[np.arange(n) % len(centres)] + rng.normal(0.0, spread, (n, len(NAMES)))
    return rows.astype(np.float32)


def watching(family=None, n=900):
    cohort = Cohort(shop(n, 0), NAMES)
    fitted = fit_segments(family or KMeans(3), cohort, previous=None, rng=np.random.default_rng(0))
    return fitted, Newcomers(fitted, cohort)


def watch(newcomers, vectors, prefix="v"):
    return [newcomers.observe(f"{prefix}{i}", row) for i, row in enumerate(vectors)]


@pytest.mark.parametrize("family", [KMeans(3), Dbscan()])
def test_a_crowd_that_was_not_there_is_proposed_in_words(family):
    _, newcomers = watching(family)
    watch(newcomers, shop(600, 1))
    watch(newcomers, shop(60, 2, BARGAIN_HUNTERS[None]), "bargain")
    (found,) = newcomers.proposals()
    assert len(found.members) >= 50
    assert {member[:7] for member in found.members} == {"bargain"}
    assert found.share_before == 0.0
    assert 0.07 < found.share < 0.1
    assert "discount" in found.description or "reduced" in found.description


def test_what_goes_on_as_before_is_not_proposed():
    proposed = 0
    for seed in range(10):
        _, newcomers = watching()
        new = watch(newcomers, shop(1_500, 10 + seed))
        assert np.mean(new) < 0.04
        proposed += len(newcomers.proposals(min_visitors=5, min_share=0.0))
    assert proposed == 0


def test_a_crowd_that_was_as_large_at_the_fit_is_not_proposed():
    """A tenth of the visitors were odd, and are."""
    odd = np.vstack([shop(900, 0), shop(100, 3, BARGAIN_HUNTERS[None])])
    cohort = Cohort(odd, NAMES)
    mild = fit_segments(KMeans(1), cohort, previous=None, rng=np.random.default_rng(0))
    newcomers = Newcomers(mild, cohort)
    watch(newcomers, np.vstack([shop(450, 4), shop(50, 5, BARGAIN_HUNTERS[None])]))
    assert newcomers.proposals(min_visitors=5, min_share=0.0) == ()


def test_who_comes_back_into_their_segment_is_a_newcomer_no_longer():
    _, newcomers = watching()
    assert newcomers.observe("ann", BARGAIN_HUNTERS)
    assert len(newcomers) == 1
    assert not newcomers.observe("ann", KINDS[0])
    assert len(newcomers) == 0


def test_memory_is_bounded():
    _, newcomers = watching()
    watch(newcomers, np.repeat(BARGAIN_HUNTERS[None], MAX_NEWCOMERS + 50, axis=0))
    assert len(newcomers) == MAX_NEWCOMERS


def test_an_accepted_crowd_becomes_a_segment_and_the_others_keep_their_names():
    fitted, newcomers = watching()
    crowd = np.vstack([shop(600, 1), shop(60, 2, BARGAIN_HUNTERS[None])])
    watch(newcomers, crowd)
    (found,) = newcomers.proposals()
    cohort = Cohort(crowd, NAMES)
    grown = accepted(fitted, found, cohort)
    assert [segment.id for segment in grown.segments] == ["s1", "s2", "s3", "s4"]
    assert grown.version == 2
    assert {grown.assign(row) for row in crowd[600:]} == {"s4"}
    before, after = fitted.assign_many(crowd[:600]), grown.assign_many(crowd[:600])
    assert (before == after).mean() > 0.99


def test_a_crowd_larger_than_a_segment_does_not_take_its_name():
    fitted, newcomers = watching()
    crowd = np.vstack([shop(90, 1), shop(400, 2, BARGAIN_HUNTERS[None])])
    watch(newcomers, crowd)
    (found,) = newcomers.proposals()
    grown = accepted(fitted, found, Cohort(crowd, NAMES))
    before = [fitted.assign(row) for row in crowd[:90]]
    assert [grown.assign(row) for row in crowd[:90]] == before
    assert [step.change for step in grown.lineage[:3]] == ["kept"] * 3
    assert grown.lineage[3].segment_id == "s4"
    assert len({segment.slot for segment in grown.segments}) == 4


def test_a_model_without_centroids_is_not_extended():
    fitted, newcomers = watching(Dbscan())
    watch(newcomers, shop(60, 2, BARGAIN_HUNTERS[None]))
    (found,) = newcomers.proposals()
    with pytest.raises(SegmentationError, match="not of density: refit it, or make"):
        accepted(fitted, found, Cohort(shop(60, 1), NAMES))


def test_a_crowd_that_is_not_there_is_not_accepted():
    fitted, newcomers = watching()
    watch(newcomers, shop(60, 2, BARGAIN_HUNTERS[None]))
    (found,) = newcomers.proposals()
    with pytest.raises(SegmentationError, match="no members: refit instead"):
        accepted(fitted, found, Cohort(shop(60, 1), NAMES))


def test_numbers_out_of_range_and_other_features_are_refused():
    fitted, newcomers = watching()
    with pytest.raises(SegmentationError, match="min_visitors must be at least 2"):
        newcomers.proposals(min_visitors=1)
    with pytest.raises(SegmentationError, match="fitted on other features"):
        Newcomers(fitted, Cohort(shop(60, 1)[:, :2], NAMES[:2]))
