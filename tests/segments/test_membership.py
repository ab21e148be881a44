from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.tiers import ValueTiers
from segments.errors import SegmentsError
from segments.membership import Membership, by_absence, by_segmentation
from segments.pipeline import Pipeline
from tests.segments.strategies import START, order, viewed

MINUTE = timedelta(minutes=1)


def absent(days=30.0, settle_s=0.0):
    pipeline = Pipeline()
    pipeline.observe(viewed(), 1)
    members = Membership(by_absence(pipeline, "unseen_days", days, "away"), settle_s)
    members.touch("ann", START)
    return pipeline, members


def test_a_time_window_passes_to_the_second_without_a_new_event():
    _, members = absent()
    (arrived,) = members.advance(START)
    assert (arrived.source, arrived.target, arrived.cause) == (None, "not away", "event")
    assert members.advance(START + timedelta(days=30) - timedelta(seconds=1)) == ()
    (left,) = members.advance(START + timedelta(days=30, seconds=1))
    assert (left.source, left.target, left.cause) == ("not away", "away", "time")
    assert abs(left.at - START - timedelta(days=30)) <= timedelta(seconds=1)
    assert members.of("ann") == "away"


def test_what_is_due_next_is_known_and_a_new_event_puts_it_off():
    pipeline, members = absent()
    members.advance(START)
    first = members.due_s
    assert first == pytest.approx((START + timedelta(days=30)).timestamp(), abs=1.0)
    pipeline.observe(viewed("m2", day=10.0), 2)
    members.touch("ann", START + timedelta(days=10))
    assert members.advance(START + timedelta(days=39)) == ()
    (left,) = members.advance(START + timedelta(days=41))
    assert abs(left.at - START - timedelta(days=40)) <= timedelta(seconds=1)


def test_coming_back_is_a_transition_by_event():
    pipeline, members = absent()
    members.advance(START + timedelta(days=31))
    pipeline.observe(viewed("m2", day=50.0), 2)
    members.touch("ann", START + timedelta(days=50))
    (back,) = members.advance(START + timedelta(days=50))
    assert (back.source, back.target, back.cause) == ("away", "not away", "event")


def test_time_moves_visitors_between_tiers_of_expected_spend():
    pipeline = Pipeline()
    for i in range(60):
        pipeline.observe(order(f"m{i}", f"v{i}", total_cents=100 * (i + 1)), i)
    visitors, vectors = pipeline.matrix(START + timedelta(days=1))
    cohort = Cohort(vectors, pipeline.feature_names)
    tiers = ValueTiers((0.5, 0.8))
    rng = np.random.default_rng(0)
    pipeline.segmentation = fit_segments(tiers, cohort, previous=None, rng=rng)
    members = Membership(by_segmentation(pipeline))
    for visitor in visitors:
        members.touch(visitor, START + timedelta(days=1))
    members.advance(START + timedelta(days=1))
    moved = members.advance(START + timedelta(days=200))
    assert moved
    assert {change.cause for change in moved} == {"time"}
    assert [change.at for change in moved] == sorted(change.at for change in moved)
    now = START + timedelta(days=200)
    assert all(members.of(one) == pipeline.describe(one, now).segment for one in visitors)


@given(
    flips=st.lists(st.booleans(), min_size=1, max_size=40),
    settle=st.integers(0, 10),
)
def test_nobody_flaps_and_whoever_stays_long_enough_arrives(flips, settle):
    """A visitor on a border, minute by minute on one side or the other."""

    def side(_, when):
        minute = min(int((when - START) / MINUTE), len(flips) - 1)
        return "east" if flips[max(minute, 0)] else "west"

    members = Membership(side, settle_s=60.0 * settle)
    changes = []
    for minute in range(len(flips)):
        members.touch("ann", START + minute * MINUTE)
        changes += members.advance(START + minute * MINUTE)
    changes += members.advance(START + (len(flips) + settle + 1) * MINUTE)
    assert members.of("ann") == side("ann", START + len(flips) * MINUTE)
    gaps = [b.at - a.at for a, b in pairwise(changes[1:])]  # whoever is new may move on at once
    assert all(gap >= settle * MINUTE for gap in gaps)
    assert all(a.target == b.source != b.target for a, b in pairwise(changes))


def test_a_change_is_put_off_after_another_and_not_lost():
    minutes = {"now": "west"}
    members = Membership(lambda visitor, when: minutes["now"], settle_s=600.0)

    def come(side, minute):
        minutes["now"] = side
        members.touch("ann", START + minute * MINUTE)
        return [change.target for change in members.advance(START + minute * MINUTE)]

    assert come("west", 0) == ["west"]
    assert come("east", 1) == ["east"]  # at once
    assert come("west", 2) == []  # ten minutes after the last change at the earliest
    (late,) = members.advance(START + 20 * MINUTE)
    assert (late.target, late.cause, late.at) == ("west", "event", START + 11 * MINUTE)


def test_another_model_moves_visitors_at_once():
    side = {"now": "west"}
    members = Membership(lambda visitor, when: side["now"], settle_s=600.0)
    for minute, (where, cause) in enumerate(
        [("west", "event"), ("east", "event"), ("up", "refit")]
    ):
        side["now"] = where
        members.touch("ann", START + minute * MINUTE, cause)
        (change,) = members.advance(START + minute * MINUTE)
        assert (change.target, change.cause) == (where, cause)


@pytest.mark.parametrize("reach_days", [0.5, 1.0, 40.0])
def test_a_short_reach_finds_the_same_to_the_second(reach_days):
    pipeline, members = absent()
    pipeline.observe(viewed(), 1)
    near = Membership(by_absence(pipeline, "unseen_days", 30, "away"), 0.0, reach_days * 86_400.0)
    near.touch("ann", START)
    for days in range(0, 40, 3):
        members.advance(START + timedelta(days=days))
        near.advance(START + timedelta(days=days))
    assert near.of("ann") == members.of("ann") == "away"
    assert abs(near.since("ann") - members.since("ann")) <= timedelta(seconds=1)


def test_a_short_reach_costs_a_reading_more_and_few_later():
    n_read = 0

    def segment_at(visitor, when):
        nonlocal n_read
        n_read += 1
        return "one"

    members = Membership(segment_at, 0.0, 86_400.0)
    members.touch("ann", START)
    members.advance(START)
    assert n_read == 2
    members.advance(START + timedelta(days=700))
    assert n_read < 70


def test_what_fell_due_before_an_event_is_caught_up_with():
    pipeline, members = absent()
    members.advance(START)
    back = START + timedelta(days=50)
    (away,) = members.catch_up("ann", back)
    assert (away.target, away.cause) == ("away", "time")
    pipeline.observe(viewed("m2", day=50.0), 2)
    members.touch("ann", back)
    assert [one.target for one in members.advance(back)] == ["not away"]
    assert members.catch_up("nobody", back) == ()


def test_whoever_is_gone_leaves_and_is_let_go():
    pipeline, members = absent()
    members.advance(START)
    pipeline.forget(["ann"], ["ann"], [])
    members.touch("ann", START + MINUTE)
    (gone,) = members.advance(START + MINUTE)
    assert (gone.source, gone.target) == ("not away", None)
    assert len(members) == 0


def test_what_is_taken_back_changes_only_if_it_is_otherwise_now():
    _, members = absent()
    members.forget("ann")
    members.load("ann", "not away", START)
    members.touch("ann", START + MINUTE, "refit")
    assert members.advance(START + MINUTE) == ()
    members.load("ann", "elsewhere", START)
    members.touch("ann", START + MINUTE, "refit")
    (moved,) = members.advance(START + MINUTE)
    assert (moved.source, moved.target, moved.cause) == ("elsewhere", "not away", "refit")


def test_looks_at_a_few_at_a_time_come_to_the_same():
    members = Membership(lambda visitor, when: "one")
    for number in range(10):
        members.touch(f"v{number}", START)
    found = [len(members.advance(START, limit=4)) for _ in range(4)]
    assert found == [4, 4, 2, 0]


def test_looks_that_were_put_off_do_not_pile_up():
    members = Membership(lambda visitor, when: "one")
    for second in range(20_000):
        members.touch("ann", START + timedelta(seconds=second))
    assert len(members._heap) < 2_000
    assert len(members.advance(START + timedelta(days=1))) == 1


def test_a_forgotten_visitor_falls_due_no_more():
    _, members = absent()
    members.advance(START)
    members.forget("ann")
    assert members.advance(START + timedelta(days=99)) == ()
    assert len(members) == 0


def test_what_cannot_be_is_refused():
    pipeline = Pipeline()
    with pytest.raises(SegmentsError, match="one of recency_days, unseen_days, got 'orders'"):
        by_absence(pipeline, "orders", 3.0, "x")
    with pytest.raises(SegmentsError, match="days must be above 0 and below 730, got 800"):
        by_absence(pipeline, "unseen_days", 800.0, "x")
    with pytest.raises(SegmentsError, match="settle_s must be at least 0, got -1"):
        Membership(lambda visitor, when: None, -1.0)
    with pytest.raises(SegmentsError, match="reach_s must be above 0, got 0"):
        Membership(lambda visitor, when: None, 0.0, 0.0)
