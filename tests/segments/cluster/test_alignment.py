from types import SimpleNamespace

import numpy as np

from segments.cluster.alignment import align


def names(old, new, n_old, slots=None, next_number=None):
    """Aligns labels with a previous segmentation of s1, s2..."""
    segments = [
        SimpleNamespace(id=f"s{i + 1}", slot=(slots or range(n_old))[i]) for i in range(n_old)
    ]
    previous = SimpleNamespace(segments=segments, next_number=next_number or n_old + 1)
    old, new = np.array(old), np.array(new)
    return align(old, new, int(new.max()) + 1, previous)


def changes(named):
    return {(step.segment_id, step.change, step.sources) for step in named.lineage}


def test_swapped_labels_keep_their_names():
    named = names([0, 0, 1, 1], [1, 1, 0, 0], 2)
    assert named.ids == ("s2", "s1")
    assert named.slots == (1, 0)
    assert changes(named) == {("s1", "kept", ("s1",)), ("s2", "kept", ("s2",))}


def test_half_of_a_segment_going_its_own_way_is_a_split():
    named = names([0] * 10 + [1] * 10, [0] * 6 + [2] * 4 + [1] * 10, 2)
    assert named.ids == ("s1", "s2", "s3")
    assert ("s3", "split", ("s1",)) in changes(named)


def test_a_segment_taken_over_is_a_merge():
    named = names([0] * 10 + [1] * 6, [0] * 16, 2)
    assert changes(named) == {("s1", "merged", ("s1", "s2"))}


def test_a_scattered_segment_dies_and_a_gathered_one_is_born():
    old = [0] * 10 + [1] * 10 + [2] * 10 + [3] * 9
    new = [0] * 7 + [3] * 3 + [1] * 7 + [3] * 3 + [2] * 7 + [3] * 3 + [0] * 3 + [1] * 3 + [2] * 3
    named = names(old, new, 4)
    assert named.ids == ("s1", "s2", "s3", "s5")
    assert {("s4", "died", ("s4",)), ("s5", "born", ())} <= changes(named)


def test_a_new_name_prefers_a_slot_that_nobody_just_left():
    named = names([0] * 10 + [1] * 10, [0] * 10 + [1] * 5 + [2] * 5, 2, slots=[0, 1])
    assert sorted(named.slots) == [0, 1, 2]


def test_with_no_slot_left_a_free_one_is_used_again():
    named = names(list(range(8)) * 10, [x % 7 for x in range(8)] * 10, 8)
    assert len(set(named.slots)) == 7


def test_a_name_does_not_go_on_where_most_of_its_members_left():
    named = names([0] * 10 + [1] * 10, [0] * 4 + [1] * 3 + [2] * 3 + [1] * 10, 2)
    assert "s1" not in named.ids
    assert {("s1", "died", ("s1",)), ("s2", "kept", ("s2",))} <= changes(named)


def test_a_name_does_not_go_on_where_most_are_others():
    old = [0] * 4 + [1] * 10 + [2] * 10
    named = names(old, [0] * 4 + [0] * 4 + [1] * 6 + [0] * 4 + [2] * 6, 3)
    assert named.ids[1:] == ("s2", "s3")
    assert named.ids[0] == "s4"
