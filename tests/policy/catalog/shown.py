"""Hypothesis strategies for what visitors are shown."""

from __future__ import annotations

from hypothesis import strategies as st

from policy.catalog.history import Exposure
from policy.catalog.limit import DAY_US, Limit, Tracked

LIMITS = {
    ("action", "tea"): [Limit(times=2, days=3)],
    ("kind", "message"): [Limit(times=3, days=5), Limit(times=1, days=1)],
    ("channel", "email"): [Limit(cooldown_minutes=600)],
}
TRACKED = Tracked(LIMITS, {"home": DAY_US})

exposures = st.builds(
    Exposure,
    placement=st.sampled_from(("home", "cart")),
    action_id=st.sampled_from(("tea", "salt")),
    kind=st.sampled_from(("message", "price", "offer", None)),
    channel=st.sampled_from(("email", "push", None)),
    price_cents=st.sampled_from((None, 900, 990)),
    price_of=st.sampled_from((None, "p1", "p2")),
    at_us=st.integers(0, 10 * DAY_US),
)


def in_time(shown):
    """As a log of one clock has them."""
    return sorted(shown, key=lambda exposure: exposure.at_us)


logs = st.lists(exposures, max_size=12).map(in_time)
