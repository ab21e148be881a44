from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings

from segments.behaviour.session import SessionTracker
from segments.errors import SegmentsError
from segments.event import Event, Product
from tests.segments.strategies import START, histories


def visit(tracker, day, gap_s=60.0, cents=2_000, category="Tea", n=6, visitor="ann"):
    """One session of product views; the changes that it brought to light, and its end."""
    changes = []
    for i in range(n):
        at = START + timedelta(days=day, seconds=i * gap_s)
        product = (Product(category=category, price_cents=cents),)
        event = Event(f"m{day}-{i}", "Product Viewed", visitor, at, products=product)
        changes += tracker.observe(event)
    return changes, at


def habits(seed=0, n_visits=20):
    tracker, rng = SessionTracker(), np.random.default_rng(seed)
    for day in range(n_visits):
        visit(tracker, day, gap_s=rng.uniform(40.0, 90.0), cents=int(rng.uniform(1_500, 2_500)))
    return tracker


def test_a_session_like_all_others_is_not_remarkable():
    tracker = habits()
    _, now = visit(tracker, 50)
    found = tracker.read("ann", now)
    assert max(abs(found.pace), abs(found.depth), abs(found.price)) < 3.0
    assert found.category_surprise < 0.5
    assert found.n_events == 6


@pytest.mark.parametrize(
    ("how", "measure", "sign"),
    [
        ({"gap_s": 3.0}, "pace", -1),
        ({"gap_s": 900.0}, "pace", 1),
        ({"cents": 20_000}, "price", 1),
        ({"cents": 200}, "price", -1),
    ],
)
def test_a_session_of_another_kind_stands_out_in_what_is_other(how, measure, sign):
    tracker = habits()
    _, now = visit(tracker, 50, **how)
    found = tracker.read("ann", now)
    assert sign * getattr(found, measure) > 3.0


def test_a_category_never_touched_surprises_and_a_usual_one_does_not():
    tracker = habits()
    for day in range(20):
        visit(tracker, day, category="Garden", visitor="bob")
    _, now = visit(tracker, 50, category="Garden", n=1)
    surprising = tracker.read("ann", now).category_surprise
    _, now = visit(tracker, 50, category="Garden", n=1, visitor="bob")
    assert surprising > 3.0
    assert tracker.read("bob", now).category_surprise < 0.5


def test_depth_above_the_usual_shows():
    tracker = habits()
    at = START + timedelta(days=50)
    tracker.observe(Event("o", "Order Completed", "ann", at))
    assert tracker.read("ann", at).depth > 3.0


def test_a_habit_that_changes_for_good_is_told_once():
    tracker, rng = habits(), np.random.default_rng(1)
    changes = []
    for day in range(60, 100):
        cents = int(rng.uniform(6_000, 9_000))
        changes += visit(tracker, day, gap_s=rng.uniform(40.0, 90.0), cents=cents)[0]
    (change,) = changes
    assert (change.visitor, change.measure) == ("ann", "price")
    assert change.after > change.before + 0.7


def test_habits_that_stay_are_never_told_to_change():
    assert not [c for seed in range(5) for c in visit(habits(seed, n_visits=60), 90)[0]]


def test_an_ended_session_and_a_stranger_read_as_nothing():
    tracker = habits()
    _, now = visit(tracker, 50)
    for reading in (tracker.read("ann", now + timedelta(hours=1)), tracker.read("zoe", now)):
        assert reading.n_events == 0
        assert reading.pace == reading.price == reading.depth == reading.category_surprise == 0.0


def test_the_visitor_not_seen_for_longest_is_let_go_and_one_can_be_forgotten():
    tracker = SessionTracker(max_visitors=2)
    for day, visitor in enumerate(("ann", "bob", "ann", "cy")):
        visit(tracker, day, visitor=visitor)
    assert len(tracker) == 2
    assert tracker.read("bob", START + timedelta(days=1)).n_events == 0
    tracker.forget("ann")
    assert len(tracker) == 1
    with pytest.raises(SegmentsError, match="max_visitors must be at least 1, got 0"):
        SessionTracker(0)


@settings(max_examples=50)
@given(histories(max_size=30))
def test_any_history_reads_finite(history):
    tracker = SessionTracker()
    for event in history:
        tracker.observe(event)
        found = tracker.read(event.visitor, event.timestamp)
        assert np.isfinite([found.pace, found.depth, found.price, found.category_surprise]).all()
