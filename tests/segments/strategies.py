"""Hypothesis strategies for what visitors do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from segments.event import CHANNELS, EVENT_NAMES, Event, Product

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = START + timedelta(days=100)
VISITORS = ("ann", "bob", "cy")
_CATEGORIES = ("Tea", "Salt", "Ink", "Wool", "Oil", "Wax")
_NAMES = tuple(sorted(EVENT_NAMES - {"Identified", "Aliased"}))

cents = st.none() | st.integers(0, 100_000)

products = st.builds(
    Product,
    category=st.none() | st.sampled_from(_CATEGORIES),
    brand=st.none() | st.sampled_from(("Acme", "Bolt")),
    price_cents=cents,
    quantity=st.integers(0, 5),
)

# Five bouts of 25 minutes, days apart: any subset of events forms at most five sessions, which is
# within the documented bound on the order of arrival.
timestamps = st.builds(
    lambda bout, seconds: START + timedelta(days=17 * bout, seconds=seconds),
    st.integers(0, 4),
    st.integers(0, 1_500),
)


@st.composite
def events(draw, visitors=VISITORS):
    """One event; weighted towards orders, which touch most of a profile."""
    name = draw(st.sampled_from(("Order Completed", "Order Completed", "Product Viewed", *_NAMES)))
    return Event(
        message_id=f"m{draw(st.integers(0, 10**9))}",
        name=name,
        visitor=draw(st.sampled_from(visitors)),
        timestamp=draw(timestamps),
        channel=draw(st.sampled_from(CHANNELS)),
        total_cents=draw(cents),
        discount_cents=draw(cents),
        products=tuple(draw(st.lists(products, max_size=4))),
    )


def histories(max_size=12, **kwargs):
    """Lists of events with message ids of their own, few enough to be remembered."""
    return st.lists(
        events(**kwargs), min_size=1, max_size=max_size, unique_by=lambda event: event.message_id
    )


@st.composite
def link_events(draw):
    """An event that says that two ids are one person."""
    first, second = draw(st.permutations((*VISITORS, "dee")))[:2]
    common = {"timestamp": draw(timestamps), "message_id": f"l{draw(st.integers(0, 10**9))}"}
    if draw(st.booleans()):
        return Event(
            name="Identified", visitor=second, anonymous_id=first, user_id=second, **common
        )
    return Event(name="Aliased", visitor=second, user_id=second, previous_id=first, **common)


linked_histories = st.lists(
    events() | link_events(), min_size=1, max_size=14, unique_by=lambda event: event.message_id
)


def order(message_id="m1", visitor="ann", day=0.0, **kwargs):
    """An order so many days after the start."""
    timestamp = START + timedelta(days=day)
    return Event(message_id, "Order Completed", visitor, timestamp, **kwargs)


def viewed(message_id="m1", visitor="ann", day=0.0, **kwargs):
    """A page view so many days after the start."""
    timestamp = START + timedelta(days=day)
    return Event(message_id, "Page Viewed", visitor, timestamp, **kwargs)
