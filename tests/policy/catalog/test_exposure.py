"""The exposures of everybody: a fold over the log that a restart resumes exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.exposure import Exposures
from policy.catalog.history import encode
from policy.catalog.limit import DAY_US
from tests.policy.catalog.shown import TRACKED, exposures, logs

VISITORS = ("ann", "bob", "anon")
rows = st.lists(st.tuples(st.sampled_from(VISITORS), exposures), max_size=12)


def state(folded):
    return {
        visitor: encode(folded.of([visitor]), TRACKED.fingerprint)
        for visitor in VISITORS
        if folded.of([visitor])
    }


def all_of(log):
    folded = Exposures(TRACKED)
    for seq, (visitor, exposure) in enumerate(log, 1):
        folded.fold(visitor, exposure, seq)
    return folded


@given(rows, st.integers(0, 12), st.integers(1, 3), st.integers(0, 12))
def test_a_restart_resumes_from_any_snapshot(log, saved_at, at_once, killed_at):
    """What was saved may be of different ages; what says how far it reaches is the oldest."""
    folded, table, through = Exposures(TRACKED), {}, 0
    for seq, (visitor, exposure) in enumerate(log, 1):
        folded.fold(visitor, exposure, seq)
        if seq == saved_at:
            through = folded.seq
            while changes := folded.take_changes(at_once):
                table.update(changes)
        if seq == killed_at:
            table.update(folded.take_changes(at_once))
    resumed = Exposures(TRACKED)
    assert all(resumed.load(visitor, data) for visitor, data in table.items())
    for seq, (visitor, exposure) in enumerate(log, 1):
        if seq > through:
            resumed.fold(visitor, exposure, seq)
    assert state(resumed) == state(folded)


@given(rows)
def test_folding_a_row_twice_counts_it_once(log):
    once, twice = all_of(log), all_of(log)
    for seq, (visitor, exposure) in enumerate(log, 1):
        twice.fold(visitor, exposure, seq)
    assert state(twice) == state(once)


@given(rows)
def test_what_is_on_its_way_counts_as_what_arrived(log):
    """The limits see a begun exposure; settled, it is the same fold, or as if it never was."""
    folded, begun = all_of(log), Exposures(TRACKED)
    now_us = 11 * DAY_US
    for visitor, exposure in log:
        begun.begin(visitor, exposure)
    for visitor in VISITORS:
        before = begun.of([visitor]).verdicts(TRACKED, now_us)
        assert before == folded.of([visitor]).verdicts(TRACKED, now_us)
    for seq, (visitor, exposure) in enumerate(log, 1):
        begun.settle(visitor, exposure, seq)
    assert state(begun) == state(folded)
    for visitor, exposure in log:
        begun.begin(visitor, exposure)
        begun.settle(visitor, exposure, None)
    assert state(begun) == state(folded)


@given(logs, logs)
def test_all_ids_of_a_visitor_answer_together_without_being_merged(mine, theirs):
    folded = Exposures(TRACKED)
    for seq, exposure in enumerate(mine, 1):
        folded.fold("ann", exposure, seq)
    for seq, exposure in enumerate(theirs, len(mine) + 1):
        folded.fold("anon", exposure, seq)
    one = Exposures(TRACKED)
    for seq, exposure in enumerate(sorted([*mine, *theirs], key=lambda e: e.at_us), 1):
        one.fold("ann", exposure, seq)
    for now_us in (10 * DAY_US, 12 * DAY_US):
        together = folded.of(["ann", "anon"]).verdicts(TRACKED, now_us)
        assert together == one.of(["ann"]).verdicts(TRACKED, now_us)
    before = state(folded)
    folded.of(["ann", "anon"])
    assert state(folded) == before


@given(st.lists(exposures, min_size=1, max_size=3))
def test_changes_that_could_not_be_saved_are_handed_out_again(shown):
    folded = Exposures(TRACKED)
    for seq, exposure in enumerate(shown, 1):
        folded.fold("ann", exposure, seq)
    changes = folded.take_changes(10)
    assert not folded.has_changes
    folded.put_back(changes)
    assert folded.take_changes(10) == changes


@pytest.mark.parametrize("data", [b"", b"\0" * 30])
def test_damaged_bytes_are_not_taken_back(data):
    folded = Exposures(TRACKED)
    assert not folded.load("ann", data)
    assert len(folded) == 0
