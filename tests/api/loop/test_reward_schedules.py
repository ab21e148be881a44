"""Any schedule of orders, refunds, copies, reports and showings ends in the reward of the facts.

Faults 9 and 10: the books are compared, after every step, with a reference that knows no rows and
no corrections, only the set of facts that were heard of.
"""

import asyncio
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.storage.base import LearningRow
from api.storage.sqlite import SQLiteStore
from policy.bandits.build import make_policy
from policy.base import Batch, Candidates
from policy.reward.spec import CountedEvent, RewardSpec
from tests.api.books import Books

CATEGORIES = {"t": "Tea", "g": "Tea", "s": "Salt"}
PRICES = {"t": 4.0, "g": 2.5, "s": 1.0}
WINDOW = 60
EVENTS = (
    CountedEvent("Order Completed", value="2 * revenue - quantity"),
    CountedEvent("Product Added", -0.25),
)


@dataclass(frozen=True)
class Order:
    """An order as the shop knows it; it may be reported several times."""

    order_id: str
    visitor: str
    minute: int
    pieces: tuple[tuple[str, int], ...]


@dataclass
class Facts:
    """What was heard of, in the order in which it was."""

    decided: dict[str, tuple[int, int, str, str]] = field(default_factory=dict)
    heard: list[tuple[str, Order]] = field(default_factory=list)
    returned: dict[str, dict[str, int]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    reports: dict[str, dict[str, float]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    def reward(self, spec: RewardSpec, decision_id: str, now: int) -> float | None:
        """The reward of a decision, from nothing but the facts; None for none."""
        n_before, at, visitor, matched = self.decided[decision_id]
        if spec.activation == "shown" and decision_id not in self.shown:
            return None
        found: list[tuple[int, float]] = []
        orders: set[str] = set()
        for name, order in self.heard[n_before:]:
            if order.visitor != visitor or not at <= order.minute < at + WINDOW:
                continue
            if order.order_id in orders or name not in spec.counted:
                continue
            orders.add(order.order_id)
            worth = self.worth(spec, name, order, matched)
            if worth is not None:
                found.append((order.minute, worth))
        reports = self.reports.get(decision_id, {}).values()
        if not found and not reports:
            return spec.default if now >= at + WINDOW else None
        reward = self.aggregated(spec, found) + math.fsum(reports)
        return reward if spec.clip is None else min(max(reward, spec.clip[0]), spec.clip[1])

    def worth(self, spec: RewardSpec, name: str, order: Order, matched: str) -> float | None:
        if name == "Product Added":
            hit = CATEGORIES[order.pieces[0][0]] == matched
            weight = next(e.weight for e in EVENTS if e.name == name)
            return (
                weight if hit else spec.default if spec.aggregation in ("first", "last") else None
            )
        back = dict(self.returned.get(order.order_id, {}))
        left: list[tuple[str, int]] = []
        for product, pieces in order.pieces:
            taken = min(pieces, back.get(product, 0))
            back[product] = back.get(product, 0) - taken
            if pieces > taken:
                left.append((product, pieces - taken))
        if order.order_id in self.cancelled or not left:
            return None
        if spec.match is not None:
            left = [(product, n) for product, n in left if CATEGORIES[product] == matched]
            if not left:
                return spec.default if spec.aggregation in ("first", "last") else None
        revenue = sum(PRICES[product] * n for product, n in left)
        quantity = sum(n for _, n in left)
        return 1.0 if spec.event else 2 * revenue - quantity

    @staticmethod
    def aggregated(spec: RewardSpec, found: list[tuple[int, float]]) -> float:
        if not found:
            return 0.0
        values = [worth for _, worth in found]
        minutes = [minute for minute, _ in found]
        return {
            "first": values[minutes.index(min(minutes))],
            "last": values[len(values) - 1 - minutes[::-1].index(max(minutes))],
            "sum": sum(values),
            "max": max(values),
            "mean": sum(values) / len(values),
        }[spec.aggregation]


pieces = st.lists(st.tuples(st.sampled_from("tgs"), st.integers(1, 3)), min_size=1, max_size=3).map(
    tuple
)
visitors = st.sampled_from(["ann", "ann", "ann", "bob"])
orders = st.lists(st.tuples(visitors, st.integers(0, 80), pieces), min_size=1, max_size=3).map(
    lambda made: [Order(f"o{i}", *order) for i, order in enumerate(made)]
)
which = st.integers(0, 5)
refunds = st.sampled_from(["Order Refunded", "Order Cancelled"])
# What concerns orders comes twice: a schedule in which nothing meets tests nothing.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), visitors, st.sampled_from(["Tea", "Salt"])),
        *[st.tuples(st.just("order"), which, st.booleans())] * 2,
        *[st.tuples(st.just("return"), which, pieces)] * 2,
        st.tuples(st.just("refund"), which, refunds),
        st.tuples(st.just("add"), which, st.integers(0, 80)),
        st.tuples(st.just("report"), which, st.integers(-3, 3)),
        st.tuples(st.just("show"), which, st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 40), st.just(0)),
    ),
    min_size=6,
    max_size=25,
)
specs = st.builds(
    lambda several, match, aggregation, default, clip, activation: RewardSpec(
        event=None if several else "Order Completed",
        events=EVENTS if several else (),
        match="category" if match or several else None,
        aggregation=aggregation,
        default=default,
        clip=clip,
        activation=activation,
        window_minutes=WINDOW,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["first", "last", "sum", "max", "mean"]),
    st.sampled_from([0.0, -0.5]),
    st.sampled_from([None, (-1.0, 4.0)]),
    st.sampled_from(["decided", "decided", "shown"]),
)


class Play:
    """Takes steps in the books and in the facts alike."""

    def __init__(self, books: Books, orders: list[Order]) -> None:
        self.books, self.orders, self.facts = books, orders, Facts()
        self.messages: set[str] = set()

    async def step(self, kind: str, one: Any, other: Any) -> None:
        await getattr(self, f"_{kind}")(one, other)

    async def _decide(self, visitor: str, matched: str) -> None:
        decision_id = f"d{len(self.facts.decided)}"
        await self.books.decide(decision_id, matched, visitor=visitor)
        now = int(self.books.clock.minute)
        self.facts.decided[decision_id] = (len(self.facts.heard), now, visitor, matched)

    async def _order(self, number: int, is_same_message: bool) -> None:
        order = self.orders[number % len(self.orders)]
        products = [
            {"product_id": p, "category": CATEGORIES[p], "price": PRICES[p], "quantity": n}
            for p, n in order.pieces
        ]
        message_id = f"message-{order.order_id}" if is_same_message else ""
        await self.books.track(
            "Order Completed",
            order.minute,
            message_id,
            order.visitor,
            order_id=order.order_id,
            products=products,
        )
        if not message_id or message_id not in self.messages:
            self.facts.heard.append(("Order Completed", order))
        self.messages.add(message_id)

    async def _add(self, number: int, minute: int) -> None:
        product, visitor = "tgs"[number % 3], ("ann", "bob")[number % 2]
        added = {"product_id": product, "category": CATEGORIES[product], "price": 9.0}
        await self.books.track("Product Added", minute, "", visitor, **added)
        order = Order(f"add-{self.books.n_messages}", visitor, minute, ((product, 1),))
        self.facts.heard.append(("Product Added", order))

    async def _return(self, number: int, returned: tuple[tuple[str, int], ...]) -> None:
        order = self.orders[number % len(self.orders)]
        ordered = {product for product, _ in order.pieces}
        products = [{"product_id": p, "quantity": n} for p, n in returned if p in ordered]
        if not products:
            return
        at = self.books.n_messages / 100  # never twice: two of one moment are one refund
        for message_id in (f"back-{at}", f"back-{at}", ""):
            await self.books.track(
                "Order Refunded", at, message_id, order_id=order.order_id, products=products
            )
        back = self.facts.returned.setdefault(order.order_id, {})
        for product in products:
            name = str(product["product_id"])
            back[name] = back.get(name, 0) + int(str(product["quantity"]))

    async def _refund(self, number: int, name: str) -> None:
        order = self.orders[number % len(self.orders)]
        await self.books.track(name, self.books.clock.minute, order_id=order.order_id)
        self.facts.cancelled.add(order.order_id)

    async def _report(self, number: int, value: int) -> None:
        decision_id = self._some(number)
        if decision_id:
            reports = self.facts.reports.setdefault(decision_id, {})
            reward_id = f"{decision_id}-{value}"
            status = await self.books.report(decision_id, value, reward_id)
            assert (status == "duplicate") == (reward_id in reports)
            reports[reward_id] = value

    async def _show(self, number: int, is_event: bool) -> None:
        decision_id = self._some(number)
        if not decision_id:
            return
        if is_event:
            await self.books.track("Promotion Viewed", 0, decision_id=decision_id)
        else:
            await self.books.activate(decision_id)
        self.facts.shown.add(decision_id)

    async def _wait(self, minutes: int, _: int) -> None:
        await self.books.wait_until(self.books.clock.minute + minutes)

    def _some(self, number: int) -> str | None:
        made = list(self.facts.decided)
        return made[number % len(made)] if made else None


async def check(play: Play, spec: RewardSpec) -> None:
    rewards = await play.books.rewards()
    for decision_id in play.facts.decided:
        rows = rewards.get(decision_id, [])
        total = sum(value for value, _, _ in rows)
        expected = play.facts.reward(spec, decision_id, int(play.books.clock.minute))
        assert total == pytest.approx(expected or 0.0, abs=1e-9), (decision_id, rows)
        firsts = [first for _, first, _ in rows]
        if expected is not None:
            assert sum(firsts) == 1
        if True in firsts:
            assert not any(value for value, _, _ in rows[: firsts.index(True)])
        else:
            assert not any(value for value, _, _ in rows)
        if spec.activation == "shown" and decision_id not in play.facts.shown:
            assert not any(firsts)


def check_before(rows: list[LearningRow], ids: list[str]) -> None:
    earned: dict[str, float] = {}
    for row, decision_id in zip(rows, ids, strict=True):
        assert row.before == pytest.approx(earned.get(decision_id, 0.0), abs=1e-9)
        earned[decision_id] = earned.get(decision_id, 0.0) + row.value


def played(
    spec: RewardSpec, made: list[Order], taken: list[tuple[Any, ...]]
) -> list[tuple[str, float, bool, float]]:
    """Play a schedule; returns (decision, value, is_first, before) of every row."""

    async def inside(folder: str) -> list[tuple[str, float, bool, float]]:
        store = SQLiteStore(Path(folder) / "s.db", "crash")
        store.start(asyncio.get_running_loop())
        try:
            play = Play(Books(store, {"home": spec}), made)
            for step in taken:
                await play.step(*step)
                await check(play, spec)
            rows = await play.books.rows()
            sql = "SELECT decision_id FROM rewards ORDER BY seq"
            ids = await store.writer.call(lambda c: [row[0] for row in c.execute(sql)])
            check_before(rows, ids)
            return [
                (name, row.value, bool(row.is_first), row.before)
                for name, row in zip(ids, rows, strict=True)
            ]
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(inside(folder))


@settings(max_examples=250, deadline=None)
@given(spec=specs, made=orders, taken=steps)
def test_the_books_say_what_the_facts_say(
    spec: RewardSpec, made: list[Order], taken: list[tuple[Any, ...]]
) -> None:
    played(spec, made, [("decide", "ann", "Tea"), *taken])


def decision_batch(names: list[str], rewards: list[float], **rows: list[Any]) -> Batch:
    """Rows of decisions whose context, action and features follow from their number."""
    numbers = [int(name[1:]) for name in names]
    draws = [np.random.default_rng(number) for number in numbers]
    seen = np.array([draw.normal(size=5) for draw in draws])
    first = rows.get("first", [True] * len(names))
    before = rows.get("before", [0.0] * len(names))
    return Batch(
        seen[:, :3],
        seen[:, 3:],
        tuple("abc"[number % 3] for number in numbers),
        np.array(rewards),
        np.array(first, np.bool_),
        np.array(before),
    )


@pytest.mark.parametrize("kind", ["epsilon_greedy", "linucb"])
@settings(max_examples=60, deadline=None)
@given(spec=specs, made=orders, taken=steps)
def test_the_model_is_that_of_the_net_rewards_alone(
    kind: str, spec: RewardSpec, made: list[Order], taken: list[tuple[Any, ...]]
) -> None:
    rows = played(spec, made, [("decide", "ann", "Tea"), *taken])
    lessons = [row for row in rows if row[2] or row[1]]
    names = [name for name, _, first, _ in rows if first]
    net = [math.fsum(value for name, value, _, _ in rows if name == own) for own in names]
    corrected, told = (make_policy(kind, n_context=3, n_shared=2) for _ in "12")
    for name, value, first, before in lessons:
        corrected.update(decision_batch([name], [value], first=[first], before=[before]))
    if names:
        told.update(decision_batch(names, net))
    context, features = np.array([1.0, -0.5, 0.25]), np.array([[0.5, 1.0]] * 3)
    candidates = Candidates(("a", "b", "c"), features)
    np.testing.assert_allclose(
        corrected.expected_rewards(context, candidates),
        told.expected_rewards(context, candidates),
        rtol=1e-6,
        atol=1e-8,
    )
