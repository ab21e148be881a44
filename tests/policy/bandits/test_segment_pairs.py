"""Storage of pairs of an action and a segment."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.segment_pairs import SegmentPairs, Segments
from policy.errors import StateError


def filled() -> SegmentPairs:
    pairs = SegmentPairs(2, 3, 2)
    pairs.set_prior(np.array([2.0, 4.0]))
    for segment, action_id in ((1, "b"), (0, "a"), (2, "a"), (1, "a")):
        gram = pairs.pair(segment, action_id).gram
        gram += segment + 1.0
    return pairs


@pytest.mark.parametrize(
    ("code", "segment"), [([1, 0, 0], 0), ([0, 0, 1], 2), ([0, 0, 0], 3), ([0.4, 0.2, 0], 3)]
)
def test_the_segment_is_where_the_one_is(code: list[float], segment: int) -> None:
    assert Segments(2, 3).of(np.array([1.0, 9.0, *code, 9.0])) == segment


def test_without_segments_every_context_is_of_none() -> None:
    assert Segments(0, 0).of(np.ones(3)) == 0


def test_a_new_pair_has_the_prior_and_takes_no_room() -> None:
    pairs = filled()
    products = pairs.products(0, np.array([2.0, 4.0]), ("b", "a"))
    np.testing.assert_array_equal(products, [[0.0, 0.0, 0.0, 1.0, 1.0]] * 2)
    assert [(pair.segment, pair.action_id) for pair in pairs] == [
        (0, "a"), (1, "b"), (1, "a"), (2, "a"),
    ]  # fmt: skip


def test_they_are_saved_and_read_back() -> None:
    pairs = filled()
    arrays = pairs.arrays(("a", "b"))
    read = SegmentPairs.restored(2, 3, 2, ["a", "b"], arrays)
    for mine, theirs in zip(pairs, read, strict=True):
        assert (mine.segment, mine.action_id) == (theirs.segment, theirs.action_id)
        np.testing.assert_array_equal(mine.gram, theirs.gram)
        assert (mine.block is None) == (theirs.block is None)


@pytest.mark.parametrize("fault", ["missing", "twice", "segment", "action", "half", "few"])
def test_damaged_arrays_are_refused(fault: str) -> None:
    arrays = filled().arrays(("a", "b"))
    places = arrays["pair_places"]
    if fault == "missing":
        del arrays["pair_places"]
    elif fault == "twice":
        places[0] = places[1]
    elif fault == "segment":
        places[0, 0] = 3.0
    elif fault == "action":
        places[0, 1] = -1.0
    elif fault == "half":
        places[0, 1] = 0.5
    else:
        arrays["pair_blocks"] = arrays["pair_blocks"][1:]
    with pytest.raises(StateError, match="pair_"):
        SegmentPairs.restored(2, 3, 2, ["a", "b"], arrays)
