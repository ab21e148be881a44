import numpy as np
import pytest

from segments.cluster.assign.centroids import Centroids
from segments.cluster.family import Cohort
from segments.cluster.scaling import RobustScaling
from segments.errors import SegmentationError
from segments.evaluation.gate import weigh

PLAIN = RobustScaling(np.array([0, 1]), np.zeros(2), np.ones(2))
BY_FIRST = Centroids(PLAIN, np.array([[-1.0, 0.0], [1.0, 0.0]]))
BY_SECOND = Centroids(PLAIN, np.array([[0.0, -1.0], [0.0, 1.0]]))


def later(seed=0, n=400, share=1.0):
    """Spend follows the first feature, as far as the share says, and luck for the rest."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.0, 1.0, (n, 2)).astype(np.float32)
    spend = share * (vectors[:, 0] > 0) + rng.normal(0.0, 1.0, n)
    return Cohort(vectors, ("orders", "revenue_cents"), spend)


def rng():
    return np.random.default_rng(7)


def test_one_that_knows_more_of_the_later_period_passes():
    found = weigh(BY_FIRST, BY_SECOND, later(), rng())
    assert found.promoted
    assert found.challenger > found.incumbent + 0.1
    assert 0.0 < found.low < found.challenger - found.incumbent


def test_one_that_knows_less_does_not_pass_even_if_the_one_in_use_is_short():
    assert not weigh(BY_SECOND, BY_FIRST, later(), rng()).promoted
    found = weigh(BY_SECOND, BY_FIRST, later(), rng(), incumbent_fails=True)
    assert not found.promoted
    assert "is not shown to know enough more" in found.reason


def test_the_same_segments_pass_only_for_one_that_is_short():
    assert not weigh(BY_FIRST, BY_FIRST, later(), rng()).promoted
    assert weigh(BY_FIRST, BY_FIRST, later(), rng(), incumbent_fails=True).promoted


def test_what_nobody_uses_yet_needs_no_comparison():
    found = weigh(BY_FIRST, None, later(), rng())
    assert found.promoted
    assert found.incumbent is None


def test_luck_passes_seldom():
    """Neither knows anything: one in twenty may pass, give or take."""
    passed = sum(
        weigh(
            BY_FIRST, BY_SECOND, later(seed, n=60, share=0.0), np.random.default_rng(seed)
        ).promoted
        for seed in range(40)
    )
    assert passed <= 6


def test_a_period_without_an_outcome_is_refused():
    blind = Cohort(later().vectors, ("orders", "revenue_cents"))
    with pytest.raises(SegmentationError, match="give the cohort a target"):
        weigh(BY_FIRST, BY_SECOND, blind, rng())
    with pytest.raises(SegmentationError, match="margin must be at least 0"):
        weigh(BY_FIRST, BY_SECOND, later(), rng(), margin=-1.0)
