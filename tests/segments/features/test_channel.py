from tests.segments.features.reading import natural
from tests.segments.strategies import order, viewed


def test_shares_are_of_all_events():
    history = [
        viewed("m1", channel="app"),
        viewed("m2", channel="app"),
        viewed("m3", channel="email"),
        order("m4", channel="in-store"),
    ]
    seen = natural(history, day=1)
    shares = [seen[f"channel_{name}_share"] for name in ("app", "email", "in_store", "web")]
    assert shares == [0.5, 0.25, 0.25, 0.0]
