"""Session activity: how many visits, and what is going on in the present one."""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING, Final

from segments.features.base import Feature, Reading, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

DEPTHS: Final = {
    "Product Viewed": 1.0,
    "Product Clicked": 1.0,
    "Product Added": 2.0,
    "Cart Viewed": 2.0,
    "Checkout Started": 3.0,
    "Checkout Step Viewed": 3.0,
    "Checkout Step Completed": 3.0,
    "Payment Info Entered": 3.0,
    "Order Completed": 4.0,
}
"""Steps towards a purchase; every other event is step 0."""

_SESSIONS, _EVENTS, _MINUTES = (1.0 / log1p(x) for x in (100.0, 50.0, 60.0))


class SessionActivity(Feature):
    """Number of sessions; events, deepest step and minutes of the one under way (else zeros)."""

    readings = (
        Reading("sessions", log_at=100.0),
        Reading("session_events", log_at=50.0),
        Reading("session_depth"),
        Reading("session_minutes", log_at=60.0),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`; the depth is a share of the four steps."""
        events, depth, minutes = profile.sessions.current(at.seconds)
        return (
            log1p(count(len(profile.sessions))) * _SESSIONS,
            log1p(count(events)) * _EVENTS,
            depth * 0.25,
            log1p(count(minutes)) * _MINUTES,
        )
