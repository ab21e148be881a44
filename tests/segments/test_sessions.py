from array import array

from hypothesis import given
from hypothesis import strategies as st

from segments.sessions import MAX_SESSIONS, Sessions

HOUR = 3_600.0


def test_a_gap_of_half_an_hour_stays_one_session_and_more_starts_another():
    sessions = Sessions()
    for seconds in (0.0, 1_800.0, 3_601.0):
        sessions.add(seconds, 0.0)
    assert len(sessions) == 2


def test_a_late_event_joins_two_sessions_into_one():
    sessions = Sessions()
    for seconds in (0.0, 3_000.0, 1_500.0):
        sessions.add(seconds, 1.0)
    assert list(sessions.rows) == [0.0, 3_000.0, 3.0, 1.0]


def test_only_the_latest_are_kept_and_all_are_counted():
    sessions = Sessions()
    for hour in range(20):
        sessions.add(hour * HOUR, 0.0)
    assert len(sessions.rows) == 4 * MAX_SESSIONS
    assert len(sessions) == 20
    sessions.add(0.0, 0.0)  # older than all that is kept
    assert len(sessions) == 20


def test_outside_a_session_nothing_is_going_on():
    sessions = Sessions()
    sessions.add(0.0, 4.0)
    assert sessions.current(1_800.0) == (1.0, 4.0, 30.0)
    assert sessions.current(1_801.0) == sessions.current(-1.0) == (0.0, 0.0, 0.0)
    assert Sessions().current(0.0) == (0.0, 0.0, 0.0)


seconds = st.integers(0, 8).map(lambda slot: slot * 1_000.0)


@given(st.lists(st.tuples(seconds, st.sampled_from((0.0, 2.0))), max_size=8), st.randoms())
def test_order_of_arrival_does_not_matter(seen, random):
    once, again = Sessions(), Sessions()
    for at, depth in seen:
        once.add(at, depth)
    random.shuffle(seen)
    for at, depth in seen:
        again.add(at, depth)
    assert once.rows == again.rows


@given(st.lists(seconds, max_size=8), st.integers(0, 8))
def test_merging_equals_having_been_one(seen, cut):
    whole, left, right = Sessions(), Sessions(), Sessions()
    for i, at in enumerate(seen):
        whole.add(at, 1.0)
        (left if i < cut else right).add(at, 1.0)
    left.merge(right)
    assert left.rows == whole.rows == array("d", whole.rows)
