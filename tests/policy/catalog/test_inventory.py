from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import model_file
from policy.catalog.inventory import Inventory
from policy.catalog.spending import MINUTE_US
from policy.errors import BookingError, ParameterError, StateError

UNITS = 4


class Request(NamedTuple):
    """A visitor who wants the thing.

    Args:
        passed_minutes: Since the one before.
        kept: Whether the log keeps the row.
        orders: Whether an earlier reservation is ordered on.
        waits: Whether the row stays on its way until the next request has decided.
    """

    passed_minutes: int
    kept: bool
    orders: bool
    waits: bool


requests = st.lists(
    st.builds(Request, st.integers(0, 40), st.booleans(), st.booleans(), st.booleans()), max_size=80
)


def thing(hold_minutes: int | None = 30) -> Inventory:
    return Inventory("thing", UNITS, ["show", "tell"], hold_minutes=hold_minutes)


def state_of(inventory: Inventory) -> bytes:
    return model_file.dump(*inventory.state())


@given(requests, st.sampled_from([30, None]))
def test_it_is_never_oversold_whoever_asks_at_once(
    story: list[Request], hold_minutes: int | None
) -> None:
    inventory, now_us = thing(hold_minutes), 0
    facts: list[tuple[str, tuple[object, ...]]] = []
    waiting: list[tuple[str, bool]] = []

    def fold(method: str, *arguments: object) -> None:
        getattr(inventory, method)(*arguments)
        facts.append((method, arguments))

    for number, request in enumerate(story):
        now_us += request.passed_minutes * MINUTE_US
        if request.orders:
            due = {hold.expires_us for hold in inventory._holds.due(now_us)}
            holds = inventory._holds._holds.items()
            for name in [name for name, hold in holds if hold.expires_us not in due][:1]:
                fold("sell", name, 1, now_us)
        if not inventory.held_back(now_us):
            inventory.begin(f"d{number}", "show" if number % 2 else "tell")
            waiting.append((f"d{number}", request.kept))
        assert inventory.left_at(now_us) >= 0
        assert inventory.sold <= UNITS
        while waiting and not request.waits:
            name, kept = waiting.pop(0)
            if kept:
                fold("decided", name, "show", now_us)
            else:
                inventory.cancel(name)
        assert inventory.left_at(now_us) >= 0
    for name, _ in waiting:
        inventory.cancel(name)
    again = thing(hold_minutes)
    for method, arguments in facts:
        getattr(again, method)(*arguments)
    assert state_of(again) == state_of(inventory)
    resumed = thing(hold_minutes)
    resumed.load_state(*model_file.load(state_of(inventory)))
    assert state_of(resumed) == state_of(inventory)
    assert resumed.left_at(now_us) == inventory.left_at(now_us)


def test_an_order_sells_what_was_reserved_and_expiry_gives_it_back() -> None:
    inventory = thing()
    for number in range(UNITS):
        inventory.decided(f"d{number}", "show", number)
    assert inventory.held_back(UNITS) == {"show": "out_of_stock", "tell": "out_of_stock"}
    inventory.sell("d0", 1, now_us=5)
    later_us = 31 * MINUTE_US
    assert (inventory.sold, inventory.left_at(later_us)) == (1, UNITS - 1)
    inventory.sell("d1", 0, now_us=6)
    assert (inventory.sold, inventory.left_at(6)) == (1, 1)


def test_an_order_of_several_counts_whatever_is_left() -> None:
    inventory = thing()
    inventory.decided("d1", "show", 0)
    inventory.sell("d1", 6, now_us=1)
    assert inventory.left_at(1) == -2
    assert inventory.held_back(1)


def test_without_a_hold_the_decision_takes_the_unit() -> None:
    inventory = thing(hold_minutes=None)
    for number in range(UNITS):
        inventory.decided(f"d{number}", "tell", number)
    inventory.decided("other", "something", 9)
    assert (inventory.sold, inventory.left_at(10**18)) == (UNITS, 0)


def test_what_is_booked_twice_is_refused() -> None:
    inventory = thing()
    inventory.decided("d1", "show", 0)
    for again in (
        lambda: inventory.begin("d1", "show"),
        lambda: inventory.decided("d1", "show", 0),
    ):
        with pytest.raises(BookingError, match="'d1' was booked before"):
            again()
    for units in (-1, 0.5, True, 10**10):
        with pytest.raises(BookingError, match=r"units is .*: must be a whole number from 0"):
            inventory.sell("d1", units, 0)  # type: ignore[arg-type]  # meant
    assert inventory.reserved == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"units": 0}, "units is 0: must be a whole number from 1"),
        ({"actions": []}, "'thing' has no action that offers it"),
        ({"hold_minutes": 0}, "hold_minutes is 0"),
    ],
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        Inventory("thing", **{"units": 1, "actions": ["a"], **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", [{"units": 9}, {"sold": -1}, {"now_us": None}, {"holds": None}])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    damage: dict[str, model_file.JSON],
) -> None:
    inventory = thing()
    inventory.decided("d1", "show", 0)
    manifest, arrays = inventory.state()
    before = state_of(inventory)
    with pytest.raises(StateError, match="saved"):
        inventory.load_state(manifest | damage, arrays)
    assert state_of(inventory) == before
