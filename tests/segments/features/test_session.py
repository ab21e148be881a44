from tests.segments.features.reading import natural
from tests.segments.strategies import order, viewed

MINUTE = 1 / 1_440


def test_the_present_session_is_read_and_earlier_ones_counted():
    history = [
        order("m1", day=1),
        viewed("m2", day=5),
        viewed("m3", day=5 + 10 * MINUTE),
    ]
    seen = natural(history, day=5 + 12 * MINUTE)
    assert (seen["sessions"], seen["session_events"]) == (2, 2)
    assert (seen["session_minutes"], seen["session_depth"]) == (12, 0)


def test_depth_is_the_share_of_the_way_to_a_purchase():
    assert natural([order("m1")], day=MINUTE)["session_depth"] == 1


def test_a_session_ends_after_half_an_hour():
    assert natural([order("m1")], day=31 * MINUTE)["session_events"] == 0
