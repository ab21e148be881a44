"""What a decision earns: by which events, how much, until when, and what a refund takes back."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api.storage import ledger
from policy.reward.spec import CountedEvent, RewardSpec
from tests.api.books import Books, keep

TEA = {"product_id": "t", "category": "Tea", "price": 4.0, "quantity": 2}
SALT = {"product_id": "s", "category": "Salt", "price": 1.0}
REVENUE = RewardSpec(
    "Order Completed", value="revenue", aggregation="sum", window_minutes=60, default=-0.5
)


async def order(books: Books, order_id: str, minute: float = 5, **properties: Any) -> int:
    products = properties.pop("products", [TEA, SALT])
    return await books.track(
        "Order Completed", minute, order_id=order_id, products=products, **properties
    )


async def refund(books: Books, order_id: str, **properties: Any) -> int:
    minute = properties.pop("minute", books.clock.minute)
    return await books.track("Order Refunded", minute, order_id=order_id, **properties)


def earned(
    folder: Path, spec: RewardSpec, work: Callable[[Books], Awaitable[object]]
) -> list[tuple[float, bool, str]]:
    """The rows of the one decision `d` after some work."""

    async def inside(books: Books) -> list[tuple[float, bool, str]]:
        await books.decide("d")
        await work(books)
        return (await books.rewards()).get("d", [])

    found: list[tuple[float, bool, str]] = keep(folder, inside, home=spec)
    return found


def test_several_kinds_of_event_earn_by_their_weight(tmp_path: Path) -> None:
    events = (CountedEvent("Order Completed", value="revenue"), CountedEvent("Product Added", 0.1))
    spec = RewardSpec(events=events, aggregation="sum", window_minutes=60)

    async def work(books: Books) -> None:
        assert await books.track("Product Added", 1, **TEA) == 1
        assert await books.track("Product Viewed", 1, **TEA) == 0
        assert await order(books, "o") == 1

    assert earned(tmp_path, spec, work) == [(0.1, True, "event"), (9.0, False, "event")]


def test_a_margin_is_earned_of_the_matching_products(tmp_path: Path) -> None:
    spec = RewardSpec(
        match="category",
        event="Order Completed",
        value="revenue - cost - 0.5 * discount",
        window_minutes=60,
    )
    products = [{**TEA, "cost": 1.5}, {**SALT, "price": 2.0, "cost": 1.0}]

    async def work(books: Books) -> None:
        await order(books, "o", products=products, discount=1.0)

    assert earned(tmp_path, spec, work) == [(pytest.approx(8 - 3 - 0.5 * 0.8), True, "event")]


@pytest.mark.parametrize(
    ("aggregation", "values"),
    [
        ("first", [2.0, 0.0, 2.0, 0.0]),
        ("last", [2.0, 1.0, 0.0, 0.0]),
        ("sum", [2.0, 3.0, 4.0, 6.0]),
        ("max", [2.0, 1.0, 1.0, 2.0]),
        ("mean", [2.0, 0.5, 0.5, 0.75]),
    ],
)
def test_each_conversion_appends_what_it_changes(
    tmp_path: Path, aggregation: str, values: list[float]
) -> None:
    """Heard of: 2 at minute 5, 3 at 9, 4 at minute 1, 6 at 7."""
    spec = RewardSpec("Order Completed", value="revenue", aggregation=aggregation)

    async def work(books: Books) -> None:
        for revenue, minute in ((2, 5), (3, 9), (4, 1), (6, 7)):
            await order(books, f"o{revenue}", minute, revenue=revenue)

    rows = earned(tmp_path, spec, work)
    assert [value for value, _, _ in rows] == pytest.approx(values)
    assert [first for _, first, _ in rows] == [True, False, False, False]


def test_clipping_holds_the_sum_of_the_rows(tmp_path: Path) -> None:
    spec = RewardSpec(
        "Order Completed", value="revenue", aggregation="sum", clip=(-5, 10), window_minutes=60
    )

    async def work(books: Books) -> None:
        await order(books, "o1", revenue=8)
        await order(books, "o2", revenue=8)
        assert await books.report("d", -1.0, "r1") == "counted"
        assert await books.report("d", -30.0, "r2") == "counted"
        assert await books.report("d", -30.0, "r2") == "duplicate"
        await refund(books, "o1")

    assert earned(tmp_path, spec, work) == [
        (8.0, True, "event"),
        (2.0, False, "event"),
        (0.0, False, "explicit"),
        (-15.0, False, "explicit"),
        (0.0, False, "refund"),
    ]


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([{}], None),
        ([{"total": 9.0}], None),
        ([{"revenue": 2.5}], 6.5),
        ([{"products": [{"product_id": "t"}]}], 5.0),
        ([{"products": [{"product_id": "t", "quantity": 2}]}, {"products": [SALT]}], None),
        ([{"products": [{"product_id": "s"}]}, {"products": [{"product_id": "s"}]}], 8.0),
        ([{"revenue": 2.5, "minute": 7}, {"revenue": 2.5, "minute": 7}], 6.5),
        ([{"revenue": 2.5, "minute": 7}, {"revenue": 2.5, "minute": 8}], 4.0),
        ([{}, {}, {"revenue": 1.0}], None),
    ],
)
@pytest.mark.parametrize("how", ["open", "closed", "first", "between"])
def test_a_refund_takes_back_what_the_order_earned(
    tmp_path: Path, refunds: list[dict[str, Any]], left: float | None, how: str
) -> None:
    """In the window, long after it, before the order comes in, or around it: the same reward."""
    late = how == "closed"

    async def work(books: Books) -> None:
        before = {"first": len(refunds), "between": len(refunds) // 2}.get(how, 0)
        for one in refunds[:before]:
            assert await refund(books, "o", **{"minute": 6, **one}) == 0
        await order(books, "o")
        if late:
            await books.wait_until(10_000)
        for one in refunds[before:]:
            await refund(books, "o", **{"minute": 6, **one})
        await order(books, "o")  # the same once more, as by a webhook
        await books.wait_until(20_000)

    rows = earned(tmp_path, REVENUE, work)
    assert sum(value for value, _, _ in rows) == pytest.approx(-0.5 if left is None else left)
    assert sum(first for _, first, _ in rows) == 1


def test_a_refund_after_the_window_is_a_row_of_its_own(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await order(books, "o")
        await books.wait_until(10_000)
        assert await refund(books, "o", revenue=2) == 1
        assert await refund(books, "o") == 1
        assert await refund(books, "o") == 0
        await books.wait_until(20_000)

    assert earned(tmp_path, REVENUE, work) == [
        (9.0, True, "event"),
        (-2.0, False, "refund"),
        (-7.5, False, "refund"),  # to the default: the window closed without an order
    ]


def test_a_cancelled_order_was_never_placed(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await order(books, "o")
        await books.track("Order Cancelled", 9, order_id="o", total=9.0, products=[SALT])
        await books.wait_until(59)
        await books.wait_until(60)

    assert earned(tmp_path, REVENUE, work) == [
        (9.0, True, "event"),
        (-9.0, False, "refund"),
        (-0.5, False, "window"),
    ]


def test_when_the_first_order_is_refunded_the_next_one_is_first(tmp_path: Path) -> None:
    spec = RewardSpec("Order Completed", match="category", window_minutes=60, default=-0.5)

    async def work(books: Books) -> None:
        await order(books, "o1", 5, products=[SALT])
        await order(books, "o2", 6, products=[TEA])
        assert await refund(books, "o1") == 1

    assert earned(tmp_path, spec, work) == [
        (-0.5, True, "event"),
        (0.0, False, "event"),
        (1.5, False, "refund"),
    ]


def test_a_hit_stays_one_until_its_last_matching_product_is_back(tmp_path: Path) -> None:
    spec = RewardSpec("Order Completed", match="category", window_minutes=60, default=-0.5)

    async def work(books: Books) -> None:
        await order(books, "o")
        tea = {"products": [{"product_id": "t"}]}
        assert await refund(books, "o", **tea, minute=6) == 0
        assert await refund(books, "o", **tea, minute=7) == 1

    assert earned(tmp_path, spec, work) == [(1.0, True, "event"), (-1.5, False, "refund")]


def test_a_refund_reaches_every_decision_of_its_order_and_no_other(tmp_path: Path) -> None:
    async def work(books: Books) -> dict[str, Any]:
        for decision_id in ("d1", "d2"):
            await books.decide(decision_id)
        await books.decide("shown", placement="banner")
        await books.decide("other", visitor="bob")
        await order(books, "o")
        await order(books, "o:1")
        await order(books, "o", visitor="bob")
        assert await refund(books, "o", visitor="a server") == 3  # "shown" has another order yet
        return await books.rewards()

    banner = RewardSpec("Order Completed", aggregation="max")
    rewards = keep(tmp_path, work, home=REVENUE, banner=banner)
    sums = {name: sum(value for value, _, _ in rows) for name, rows in rewards.items()}
    assert sums == {"d1": 9.0, "d2": 9.0, "shown": 1.0, "other": 0.0}


def test_an_order_of_a_placement_that_is_gone_is_let_be(tmp_path: Path) -> None:
    async def before(books: Books) -> None:
        await books.decide("d")
        await order(books, "o")

    async def after(books: Books) -> int:
        return await refund(books, "o")

    keep(tmp_path, before, home=REVENUE)
    assert keep(tmp_path, after, banner=REVENUE) == 0


def test_a_late_order_replaces_the_default_once(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await books.wait_until(60)
        await order(books, "o1", 5)
        await refund(books, "o1")
        await order(books, "o2", 6)
        await books.wait_until(200)

    assert earned(tmp_path, REVENUE, work) == [
        (-0.5, True, "window"),
        (0.5, False, "window"),
        (9.0, False, "event"),
        (-9.5, False, "refund"),
        (9.5, False, "event"),
    ]


SHOWN = RewardSpec(
    "Order Completed", value="revenue", window_minutes=60, default=-0.5, activation="shown"
)


def test_what_was_never_shown_is_never_learned(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await order(books, "o")
        assert await books.report("d", 2.0) == "held"
        await refund(books, "o", revenue=1)
        await books.wait_until(10_000)

    rows = earned(tmp_path, SHOWN, work)
    assert {(value, first) for value, first, _ in rows} == {(0.0, False)}


def test_with_its_activation_a_decision_earns_what_it_was_owed(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await order(books, "o")
        await books.report("d", 2.0)
        await refund(books, "o", revenue=1)
        assert await books.activate("d") == "activated"
        assert await books.activate("d") == "duplicate"
        assert await books.report("d", 2.0) == "duplicate"
        assert await books.report("d", 1.0, "more") == "counted"

    rows = earned(tmp_path, SHOWN, work)
    assert [row for row in rows if row[0]] == [(10.0, True, "shown"), (1.0, False, "explicit")]


@pytest.mark.parametrize("late", [False, True])
def test_a_shown_decision_without_an_order_earns_its_default_when_its_window_closes(
    tmp_path: Path, late: bool
) -> None:
    async def work(books: Books) -> None:
        if late:
            await books.wait_until(60)
            assert await books.rewards() == {}
        assert await books.activate("d") == "activated"
        await books.wait_until(100)
        await books.wait_until(200)

    rows = earned(tmp_path, SHOWN, work)
    assert [row for row in rows if row[0]] == [(-0.5, True, "shown" if late else "window")]


def test_an_event_that_names_the_decision_activates_it(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        viewed = {"promotion_id": "p", "decision_id": "d"}
        assert await books.track("Promotion Viewed", 1, **viewed) == 0
        assert await books.track("Promotion Viewed", 2, **viewed) == 0
        assert await books.track("Promotion Viewed", 2, decision_id="nobody's") == 0
        assert await order(books, "o") == 1

    rows = earned(tmp_path, SHOWN, work)
    assert rows == [(0.0, False, "shown"), (9.0, True, "event")]


def test_an_order_that_names_the_decision_activates_and_rewards_it(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        assert await order(books, "o", decision_id="d") == 1

    assert earned(tmp_path, SHOWN, work)[-1] == (9.0, True, "event")


def test_where_decisions_count_at_once_naming_one_changes_nothing(tmp_path: Path) -> None:
    async def work(books: Books) -> None:
        await books.decide("other", placement="banner")
        assert await books.track("Promotion Viewed", 1, decision_id="d") == 0
        assert await books.activate("d") == "activated"
        await books.wait_until(60)

    async def inside(books: Books) -> dict[str, Any]:
        await books.decide("d")
        await work(books)
        return await books.rewards()

    rewards = keep(tmp_path, inside, home=REVENUE, banner=SHOWN)
    assert rewards == {"d": [(0.0, False, "shown"), (-0.5, True, "window")]}


def test_a_flood_of_conversions_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_ROWS", 5)

    async def work(books: Books) -> None:
        for number in range(9):
            assert await order(books, f"o{number}") == (number < 5)

    assert len(earned(tmp_path, REVENUE, work)) == 5


def test_learning_rows_say_what_was_earned_before(tmp_path: Path) -> None:
    async def work(books: Books) -> list[tuple[float, float]]:
        await books.decide("d")
        await books.decide("e")
        await order(books, "o1")
        await order(books, "o2", revenue=3)
        await refund(books, "o1", revenue=2)
        rows = await books.rows()
        assert sum(bool(row.is_first) for row in rows) == 2
        return [(row.value, row.before) for row in rows]

    once = [(9.0, 0.0), (3.0, 9.0), (-2.0, 12.0)]
    assert keep(tmp_path, work, home=REVENUE) == [pair for pair in once for _ in "de"]
