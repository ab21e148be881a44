"""What every store promises; a new one joins with one line in STORES."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api.storage.base import (
    EXPOSURES,
    Appended,
    BookingRow,
    Credit,
    DeadLetterRow,
    DecisionRow,
    EventRow,
    ModelRow,
    Redeemable,
    Redemption,
    RefitRow,
    RepeatedDecisionError,
    RepeatedRequestError,
    RewardRow,
    SettlementRow,
    Store,
    StoreUnavailableError,
)
from api.storage.keyed import Keyed, KeyedRequest, Told
from api.storage.ledger import MOST_ROWS
from api.storage.memberships import THROUGH, Through, TransitionRow
from api.storage.sqlite import SQLiteStore
from api.storage.trial import PolicyRow, StepRow
from policy.catalog.history import Exposure
from policy.reward.conversion import Conversion, Line
from policy.reward.spec import RewardSpec

MINUTE_US = 60_000_000
STORES: dict[str, Callable[[Path], SQLiteStore]] = {
    "sqlite": lambda folder: SQLiteStore(folder / "store.db"),
}


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SQLiteStore]:
    return lambda: STORES[request.param](tmp_path)


def run(store: SQLiteStore, work: Callable[[Store], Awaitable[object]]) -> object:
    async def inside() -> object:
        store.start(asyncio.get_running_loop())
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(inside())


def decision(number: int, **changes: object) -> DecisionRow:
    row = DecisionRow(
        decision_id=f"d{number}",
        visitor="ann",
        placement="home",
        decided_at_us=number * MINUTE_US,
        closes_at_us=(number + 60) * MINUTE_US,
        policy_version="home.0@0",
        layout=1,
        segment=None,
        action_id="tea",
        match_value="Tea",
        chosen=0,
        probability=0.5,
        reason=None,
        candidates='["tea", "salt"]',
        probabilities=b"\0" * 16,
        context=b"\1" * 8,
        features=b"\2" * 8,
    )
    return row._replace(**changes)


def event(number: int, minute: int = 5, visitor: str = "ann") -> EventRow:
    return EventRow(
        f"m{number}", visitor, "Order Completed", minute * MINUTE_US, 0, f'{{"n":{number}}}'
    )


def credit(
    category: str = "Tea",
    aggregation: str = "first",
    visitors: tuple[str, ...] = ("ann",),
    key: str = "k",
) -> Credit:
    order = Conversion("Order Completed", 500, (Line("p", category, None, 500),))
    spec = RewardSpec("Order Completed", match="category", aggregation=aggregation, default=-0.5)
    return Credit(visitors, order, {"home": spec}, key)


async def rewards_of(store: Store) -> list[tuple[float, bool]]:
    return [(row.value, bool(row.is_first)) for row in await store.rewards_after(0, 1000)]


def nothing(_: Appended) -> None:
    return


def test_an_order_settles_once_what_decisions_hold(opened: Callable[[], SQLiteStore]) -> None:
    order = Conversion("Order Completed", 500, (Line("p", "Tea", None, 500, 3),))
    redemption = Redemption(
        ("ann", "anon"), order, "order:1", {"tea": Redeemable(10 * MINUTE_US, 400)},
        {"home": "category"},
    )  # fmt: skip
    heard: list[tuple[SettlementRow, ...]] = []

    async def work(store: Store) -> None:
        rows = (
            decision(1),  # too long ago
            decision(7),
            decision(8, visitor="anon"),
            decision(9, match_value="Salt"),
            decision(10, visitor="bob"),
            decision(11, action_id="salt"),
            decision(13),  # later than the order
        )
        for row in rows:
            store.append_decision(row)
        for number in (1, 2):
            row = event(number, minute=12)
            await store.append_events([row], [[redemption]], lambda a: heard.append(a.settlements))

    run(opened(), work)
    store = opened()
    settled = store.settlements_after(0, 9)
    assert settled == [
        SettlementRow(1, "d8", "tea", 3, 400, 0, 7),
        SettlementRow(2, "d7", "tea", 0, 0, 0, 7),
    ]
    assert heard == [tuple(settled), ()]
    assert store.settlements_after(1, 9) == settled[1:]
    assert store.bookings_after(5, 1) == [BookingRow(6, "d11", "home", "salt", 11 * MINUTE_US)]
    run(store, lambda s: asyncio.sleep(0))


def test_events_keep_their_order_and_count_once(opened: Callable[[], SQLiteStore]) -> None:
    folded: list[tuple[int | None, ...]] = []

    async def work(store: Store) -> None:
        writes = [
            store.append_events([event(n), event(n + 1)], [(), ()], lambda a: folded.append(a.seqs))
            for n in range(3)
        ]
        await asyncio.gather(*writes)

    run(opened(), work)
    places = [seq for _, seq in folded]
    assert folded[0] == (1, 2)
    assert [first for first, _ in folded[1:]] == [None, None]
    assert places == sorted({*places})  # ascending; a place that a repeat used up stays empty
    store = opened()
    assert store.events_after(1, 2) == [(2, '{"n":1}'), (places[1], '{"n":2}')]
    run(store, lambda s: asyncio.sleep(0))


def test_a_list_is_appended_as_a_whole_or_not_at_all(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> tuple[object, ...]:
        rows = [decision(n, list_id="l", slot=f"s{n}") for n in range(3)]
        places = await store.append_decisions(rows)
        again = store.append_decisions([decision(7), decision(0)])  # the second is there already
        (failed,) = await asyncio.gather(again, return_exceptions=True)
        known = [
            (await store.append_reward(RewardRow(f"r{n}", f"d{n}", 1.0, 0), (), {})).status
            for n in (2, 7)
        ]
        return places, isinstance(failed, Exception), known

    assert run(opened(), work) == ([1, 2, 3], True, ["counted", "unknown"])


@pytest.mark.parametrize(
    ("category", "aggregation", "expected"),
    [
        ("Tea", "first", [(1.0, True), (0.0, False)]),
        ("Salt", "first", [(-0.5, True), (0.0, False)]),
        ("Salt", "last", [(-0.5, True), (0.0, False)]),
        ("Tea", "sum", [(1.0, True), (1.0, False)]),
        ("Salt", "sum", []),
        ("Tea", "mean", [(1.0, True), (0.0, False)]),
    ],
)
def test_a_conversion_rewards_the_open_decision(
    opened: Callable[[], SQLiteStore],
    category: str,
    aggregation: str,
    expected: list[tuple[float, bool]],
) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(0))
        for number in (1, 2):
            earning = credit(category, aggregation, key=f"k{number}")
            await store.append_events([event(number)], [(earning,)], nothing)
            await store.append_events([event(number)], [(earning,)], nothing)
        return await rewards_of(store)

    assert run(opened(), work) == expected


@pytest.mark.parametrize(
    ("minute", "visitors", "n_rewards"),
    [
        (0, ("ann",), 1),
        (59, ("ann",), 1),
        (60, ("ann",), 0),
        (5, ("bob",), 0),
        (5, ("bob", "ann"), 1),
    ],
)
def test_only_the_visitors_decisions_within_their_window_are_rewarded(
    opened: Callable[[], SQLiteStore], minute: int, visitors: tuple[str, ...], n_rewards: int
) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(0))
        appended = await store.append_events(
            [event(1, minute)], [(credit(visitors=visitors),)], nothing
        )
        return appended.n_rewards

    assert run(opened(), work) == n_rewards


def test_an_explicit_reward_counts_once_and_is_checked(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(0))
        rows = [
            (RewardRow("r1", "d0", 1.0, 0), ("ann",)),
            (RewardRow("r1", "d0", 1.0, 0), ()),
            (RewardRow("r1", "d0", 2.0, 0), ()),
            (RewardRow("r2", "nope", 1.0, 0), ()),
            (RewardRow("r2", "d0", 1.0, 0), ("bob",)),
            (RewardRow("r2", "d0", -1.0, 0), ()),
        ]
        outcomes = [(await store.append_reward(row, visitors, {})).status for row, visitors in rows]
        return outcomes, await rewards_of(store)

    statuses = ["counted", "duplicate", "conflict", "unknown", "foreign", "counted"]
    assert run(opened(), work) == (statuses, [(1.0, True), (-1.0, False)])


def test_a_closed_window_earns_the_default_and_a_late_reward_replaces_it(
    opened: Callable[[], SQLiteStore],
) -> None:
    async def work(store: Store) -> object:
        for number in range(3):
            await store.append_decision(decision(number, visitor=f"v{number}"))
        await store.append_reward(RewardRow("r", "d1", 3.0, 0), (), {})
        specs = {"home": RewardSpec("Order Completed", default=-0.5)}
        seen = [
            await store.close_windows(minute * MINUTE_US, specs, 10) for minute in (59, 61, 61, 99)
        ]
        await store.append_events([event(1, 5)], [(credit(visitors=("v0",)),)], nothing)
        return seen, await rewards_of(store)

    rewards = [(3.0, True), (-0.5, True), (-0.5, True), (0.5, False), (1.0, False)]
    assert run(opened(), work) == ([0, 2, 0, 1], rewards)


def test_closing_goes_on_where_a_limit_stopped_it(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        for number in range(5):
            await store.append_decision(decision(number, closes_at_us=7))
        return [await store.close_windows(8, {}, 2) for _ in range(4)]

    assert run(opened(), work) == [2, 2, 1, 0]


def test_one_order_under_two_message_ids_rewards_once(
    opened: Callable[[], SQLiteStore],
) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(0))
        for number in (1, 2):
            await store.append_events([event(number)], [(credit(aggregation="sum"),)], nothing)
        return await rewards_of(store)

    assert run(opened(), work) == [(1.0, True)]


@pytest.mark.parametrize("n_others", [0, 3, 700])
def test_open_decisions_are_found_old_and_new(
    opened: Callable[[], SQLiteStore], n_others: int
) -> None:
    async def work(store: Store) -> object:
        found = []
        for round_ in (0, 1):
            await store.append_decision(decision(round_ * 1000))
            for number in range(n_others):
                row = decision(number, decision_id=f"{round_}-{number}", visitor="somebody else")
                await store.append_decision(row._replace(closes_at_us=10**12))
            earning = credit(aggregation="sum", key=f"k{round_}")
            appended = await store.append_events(
                [event(round_, 1005 * round_)], [(earning,)], nothing
            )
            found.append(appended.n_rewards)
            await store.close_windows(0, {}, 10)
        return found

    assert run(opened(), work) == [1, 1]


def test_a_visitor_of_many_ids_is_no_trouble(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(0))
        many = credit(visitors=("ann", *(f"anon-{n}" for n in range(300_000))))
        return (await store.append_events([event(1)], [(many,)], nothing)).n_rewards

    assert run(opened(), work) == 1


def test_windows_close_though_time_was_set_back(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        await store.append_decision(decision(500))
        closed = [await store.close_windows(1000 * MINUTE_US, {}, 10)]
        await store.append_decision(decision(1))  # due at 61, long before the cursor
        await store.append_decision(decision(700))
        closed += [await store.close_windows(at * MINUTE_US, {}, 10) for at in (600, 700, 760, 761)]
        return closed, await rewards_of(store)

    closed, rewards = run(opened(), work)  # type: ignore[misc]  # a pair
    assert closed == [1, 1, 0, 1, 0]
    assert len(rewards) == 3


def test_a_failing_fold_keeps_nobody_waiting(opened: Callable[[], SQLiteStore]) -> None:
    def broken(_: Appended) -> None:
        raise RuntimeError("no fold")

    async def work(store: Store) -> object:
        writes = [
            store.append_events([event(number)], [()], broken if number == 1 else nothing)
            for number in range(3)
        ]
        done = await asyncio.gather(*writes, return_exceptions=True)
        return [type(result).__name__ for result in done]

    assert run(opened(), work) == ["Appended", "RuntimeError", "Appended"]


def test_a_failed_write_takes_nothing_else_with_it(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        good = store.append_events([event(1)], [()], nothing)
        bad = store.append_events([event(2)], [], nothing)  # one event, no credits
        after = store.append_events([event(3)], [()], nothing)
        done = await asyncio.gather(good, bad, after, return_exceptions=True)
        return [type(result).__name__ for result in done]

    store = opened()
    assert run(store, work) == ["Appended", "ValueError", "Appended"]
    reopened = opened()
    assert [body for _, body in reopened.events_after(0, 9)] == ['{"n":1}', '{"n":3}']
    run(reopened, lambda s: asyncio.sleep(0))


def test_snapshots_come_back(opened: Callable[[], SQLiteStore]) -> None:
    async def save(store: Store) -> None:
        for through in range(8):
            await store.save_models([ModelRow("home", "bold@1", through, b"model %d" % through)], 0)
        await store.save_profiles([("ann", 1, b"a"), ("bob", 2, b"b")], [("anon", "ann", 2)])
        await store.save_profiles([("bob", 3, None), ("ann", 4, b"aa")], [])
        await store.save_refit(refit(0, "adopted", 1), b"old")
        await store.save_refit(refit(8, "adopted", 2), b"new")
        await store.save_refit(refit(9, "refused", None), None)
        await store.save_state("population", b"p")
        await store.append_dead_letters([DeadLetterRow(0, "event", "x", "unknown", "{}")])

    run(opened(), save)
    store = opened()
    assert store.load_model("home", "bold@1") == (7, b"model 7")
    assert store.load_model("home", "bold@2") is None
    assert list(store.load_profiles()) == [("ann", b"aa")]
    assert list(store.load_aliases()) == [("anon", "ann", 2)]
    assert store.load_segmentation() == (8, b"new")
    assert store.last_refit(adopted=False) == refit(9, "refused", None)
    assert store.last_refit(adopted=True) == refit(8, "adopted", 2)
    assert (store.load_state("population"), store.load_state("none")) == (b"p", None)

    async def refits(store: Store) -> list[RefitRow]:
        return await store.refits(2)

    assert [row.at_us for row in run(store, refits)] == [9, 8]


def refit(at_us: int, outcome: str, version: int | None) -> RefitRow:
    return RefitRow(at_us, "kmeans", None, outcome, version, 60, 0.25, "because")


def test_a_layout_keeps_its_number(opened: Callable[[], SQLiteStore]) -> None:
    store = opened()
    one, two = store.layout({"context": ("a", "b")}), store.layout({"context": ("b", "a")})
    assert one != two
    assert store.layout({"context": ["a", "b"]}) == one
    run(store, lambda s: asyncio.sleep(0))


def test_the_last_reward_is_known(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> object:
        before = await store.last_reward()
        await store.append_decision(decision(0))
        for reward_id in ("r1", "r2"):
            await store.append_reward(RewardRow(reward_id, "d0", 1.0, 0), (), {})
        return before, await store.last_reward()

    assert run(opened(), work) == (0, 2)


def test_after_closing_writes_are_refused(opened: Callable[[], SQLiteStore]) -> None:
    store = opened()

    async def work(_: Store) -> None:
        await store.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await store.append_decision(decision(0))

    run(store, work)


def test_decisions_know_their_place_and_say_what_they_showed(
    opened: Callable[[], SQLiteStore],
) -> None:
    """Also of those that are committed together, among other writes."""

    async def work(store: Store) -> list[int]:
        appended = []
        for number in range(150):
            row = decision(number)._replace(kind="price", price_cents=number, price_of="p")
            appended.append(store.append_decision(row))
            if number % 40 == 0:
                store.append_dead_letters([DeadLetterRow(0, "f", "v", "r", "b")])
        return list(await asyncio.gather(*appended))

    assert run(opened(), work) == list(range(1, 151))
    store = opened()
    first, second = store.exposures_after(9, 2)
    assert (first[0], first[1], first[2].price_cents, first[2].at_us) == (
        10,
        "ann",
        9,
        9 * MINUTE_US,
    )
    assert second[2] == Exposure("home", "tea", "price", None, 10, "p", 10 * MINUTE_US)
    assert store.exposures_after(150, 2) == []
    run(store, lambda s: asyncio.sleep(0))


def test_exposures_come_back_until_they_are_dropped(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> None:
        await store.save_exposures([("ann", b"1"), ("bob", b"2")])
        await store.save_exposures([("ann", b"3")])
        await store.save_state(EXPOSURES, b"through")

    run(opened(), work)
    store = opened()
    assert dict(store.load_exposures()) == {"ann": b"3", "bob": b"2"}
    store.clear_exposures()
    assert dict(store.load_exposures()) == {}
    assert store.load_state(EXPOSURES) is None
    run(store, lambda s: asyncio.sleep(0))


def test_a_decision_is_read_as_it_was_appended(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> tuple[object, ...]:
        row = decision(1, price_cents=990, density=0.002, reasons='{"salt": "capped"}')
        await store.append_decision(row)
        return row, await store.decision("d1"), await store.decision("other")

    row, found, missing = run(opened(), work)
    assert (found, missing) == (row, None)


def test_a_decision_is_told_with_what_came_of_it(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> None:
        await store.append_decision(decision(1, lineup=step))
        await store.append_events([event(1)], [[credit()]], nothing)
        await store.append_reward(RewardRow("r1", "d1", 2.0, 7), (), credit().specs)
        record = await store.record("d1")
        assert record is not None
        assert (record.seq, record.row) == (1, await store.decision("d1"))
        told = [(one.seq, one.source, one.message_id) for one in record.rewards]
        assert told == [(1, "event", "m1"), (2, "explicit", None)]
        assert record.reward == sum(one.value for one in record.rewards)
        assert record.layout == {"context": ["one"], "features": []}
        assert record.deciders is not None
        assert (record.deciders.champion, record.deciders.challenger) == (bold, timid)
        assert record.deciders.parameters == {
            "kind": "linucb",
            "challenger": {"kind": "lints", "share": 0.25},
        }
        assert await store.record("other") is None
        await store.append_decision(decision(2))
        older = await store.record("d2")
        assert older is not None
        assert older.deciders is None

    store = opened()
    store.layout({"context": ["one"], "features": []})
    bold = PolicyRow("home", "configured", 1, '{"kind": "linucb"}', None, 0, 1)
    timid = PolicyRow("home", "challenger", 1, '{"kind": "lints"}', None, 0, 1)
    lineup = {
        "champion": "configured@1", "challenger": "challenger@1", "share": 0.25,
        "configured": {"policy": "configured@1"},
    }  # fmt: skip
    text = json.dumps(lineup)
    said = StepRow("home", 1, "configured", "configured@1", 0.25, "me", None, None, text)
    step = store.trials.begin([bold, timid], said)
    run(store, work)


def test_a_list_is_found_by_its_id(opened: Callable[[], SQLiteStore]) -> None:
    rows = [decision(number, list_id="l1", slot=str(number)) for number in (1, 2)]

    async def work(store: Store) -> None:
        await store.append_decisions([decision(3, list_id="l2", slot="a")])
        await store.append_decisions(rows)
        assert await store.decisions_of_list("l1") == rows
        assert await store.decisions_of_list("l3") == []

    run(opened(), work)


def test_a_list_with_an_id_that_is_there_is_refused_as_a_whole(
    opened: Callable[[], SQLiteStore],
) -> None:
    async def work(store: Store) -> None:
        other = store.append_decision(decision(1))
        repeated = [decision(2, list_id="l1", slot="a"), decision(1, list_id="l1", slot="b")]
        refused = store.append_decisions(repeated)
        later = store.append_decision(decision(3))
        with pytest.raises(RepeatedDecisionError):
            await refused
        assert (await other, await later) == (1, 2)
        assert await store.decisions_of_list("l1") == []

    run(opened(), work)


def test_a_keyed_request_is_done_once_whatever_it_writes(
    opened: Callable[[], SQLiteStore],
) -> None:
    def keyed(number: int, body: bytes = b"", seen: bool = True) -> Keyed[Any]:
        request = KeyedRequest(b"n%d" % number, body, 0)
        return Keyed(request, lambda result: Told(str(result).encode()) if seen else None)

    async def work(store: Store) -> list[bytes | None]:
        reward, spec = RewardRow("r", "d0", 1.0, 0), {"home": RewardSpec("Order Completed")}
        store.append_decision(decision(0))
        writes: dict[int, Callable[[Keyed[Any]], Awaitable[object]]] = {
            1: lambda key: store.append_decision(decision(1), key),
            2: lambda key: store.append_decisions([decision(2), decision(3)], key),
            3: lambda key: store.append_events([event(1)], [()], nothing, [], key),
            4: lambda key: store.append_reward(reward, (), spec, None, key),
            5: lambda key: store.activate("d0", (), 0, spec, None, key),
            6: lambda key: store.answer(key.request, Told(b"6")),
        }
        await store.claim(keyed(6).request)
        told: list[bytes | None] = []
        for number, write in writes.items():
            await write(keyed(number))
            for body in (b"", b"other"):
                with pytest.raises(RepeatedRequestError) as repeated:
                    await write(keyed(number, body))
                told.append(repeated.value.answer)
        with pytest.raises(RepeatedRequestError):
            await store.claim(keyed(6).request)
        await store.append_events([event(2)], [()], nothing, [], keyed(7, seen=False))
        await store.append_events([event(3)], [()], nothing, [], keyed(7))
        return told

    told = run(opened(), work)
    assert isinstance(told, list)
    assert told[1::2] == [None] * 6
    assert told[0:3:2] == [b"2", b"[3, 4]"]
    assert b"counted" in told[6]
    store = opened()
    assert [row.decision_id for row in store.bookings_after(0, 9)] == ["d0", "d1", "d2", "d3"]
    assert len(store.events_after(0, 9)) == 3
    run(store, lambda _: asyncio.sleep(0))


def test_a_claimed_key_is_for_the_same_request_only(opened: Callable[[], SQLiteStore]) -> None:
    async def work(store: Store) -> None:
        one, other = KeyedRequest(b"n", b"one", 0), KeyedRequest(b"n", b"other", 0)
        await store.claim(one)
        await store.claim(one)  # as after a crash in between
        with pytest.raises(RepeatedRequestError) as refused:
            await store.claim(other)
        assert refused.value.answer is None

    run(opened(), work)


def test_a_transition_goes_from_where_the_membership_is_and_is_there_once(
    opened: Callable[[], SQLiteStore],
) -> None:
    """Whatever is found again after a crash, the log of changes is a chain for each visitor."""

    def row(source: str | None, target: str | None, at_us: int) -> TransitionRow:
        return TransitionRow("ann", "segments", source, target, at_us, "event", 1)

    chain = [row(None, "s1", 1), row("s1", "s2", 2), row("s2", "s1", 3)]

    async def work(store: Store) -> Any:
        first = await store.append_transitions(chain[:2], Through(7, 2, 1))
        again = await store.append_transitions([chain[0], *chain], None)
        gone = await store.append_transitions([row("s1", None, 4)], None)
        return first, again, gone, await store.members("segments", "s1", "", 9)

    store = opened()
    first, again, gone, members = run(store, work)
    assert first == [(1, chain[0]), (2, chain[1])]
    assert again == [(3, chain[2])]
    assert gone == [(4, row("s1", None, 4))]
    assert members == []
    reopened = opened()
    assert list(reopened.load_memberships()) == []
    assert Through.load(reopened.load_state(THROUGH)) == Through(7, 2, 1)
    run(reopened, lambda s: asyncio.sleep(0))


def test_changes_of_segments_and_policies_are_told_in_their_transaction(
    opened: Callable[[], SQLiteStore],
) -> None:
    async def work(store: Store) -> list[tuple[str, Any]]:
        moves = [
            TransitionRow("ann", "segments", None, "s1", 1, "event", 1),
            TransitionRow("ann", "segments", "s3", "s2", 2, "event", 1),  # not where she is
        ]
        await store.append_transitions(moves, None)
        deliveries, _ = await store.due_notices("crm", 10**18, 9)
        return [(one.type, json.loads(one.body)["data"]) for one in deliveries]

    store = opened()
    store.subscribe({"crm": ("segment.changed", "policy.promoted", "policy.rolled_back")})
    for what in ("configured", "promoted", "rolled back"):
        step = StepRow("home", 1, what, "bold@1", None, "gate", "it earns more", None, "{}")
        store.trials.begin([], step)
    told = run(store, work)
    policy = {"placement": "home", "policy": "bold@1", "actor": "gate", "reason": "it earns more"}
    assert told == [
        ("policy.promoted", {**policy, "step": 2}),
        ("policy.rolled_back", {**policy, "step": 3}),
        (
            "segment.changed",
            {"visitor": "ann", "grouping": "segments", "from": None, "to": "s1", "cause": "event"},
        ),
    ]


def test_a_flood_of_reports_for_one_decision_ends(opened: Callable[[], SQLiteStore]) -> None:
    """One key that sends a million of them teaches the policy one decision, within its clip."""
    spec = {"home": RewardSpec("Order Completed", clip=(0.0, 1.0))}

    async def work(store: Store) -> None:
        await store.append_decision(decision(0))
        rows = [RewardRow(f"r{n}", "d0", 1e6, 0) for n in range(MOST_ROWS + 2)]
        outcomes = await asyncio.gather(*[store.append_reward(row, (), spec) for row in rows])
        statuses = [outcome.status for outcome in outcomes]
        assert statuses == ["counted"] * MOST_ROWS + ["full"] * 2
        assert (await store.append_reward(rows[0], (), spec)).status == "duplicate"
        learned = await store.rewards_after(0, 5_000)
        assert sum(row.value for row in learned) == 1.0
        assert sum(row.is_first for row in learned) == 1

    run(opened(), work)
