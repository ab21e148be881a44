"""One person exported, and erased from log, memory and models."""

import asyncio
import sqlite3
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.loop.engine import Engine
from api.loop.suppression import ErasedError
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from api.settings import AbsenceSettings, Settings
from api.storage.keyed import KeyedRequest
from api.supply_settings import InventorySettings
from api.webhooks.settings import WebhookEndpointSettings
from policy.bandits.linear_policy import LinearPolicy
from policy.base import Candidates
from policy.catalog.exposure import NOTHING
from segments.event import EventError
from tests.api.loop.test_engine import model_of, run, settings

IDS = ("person-ann@example.org", "device-of-ann-91", "old-id-of-ann/7")
SHARED = "tablet-in-the-hall"
CAP = {"limits": [{"kind": "content", "times": 50, "days": 7}]}
STOCK = InventorySettings(name="stock", units=100_000, actions=("tea",), hold_minutes=60)
NOBODY = WebhookEndpointSettings(
    name="nobody", url="http://127.0.0.1:1/", secrets=(f"whsec_{'A' * 40}",), tries=20
)
PERSONAL = {
    "events", "decisions", "rewards", "dead_letters", "profiles", "aliases", "exposures",
    "settlements", "answers", "outbox", "memberships", "transitions", "habits",
}  # fmt: skip
OTHER = {
    "layouts", "models", "segmentations", "state", "decisions_of_visitor", "erasures", "refits",
    "suppressions", "policies", "policy_steps", "gates", "sqlite_sequence", "_sqlite_migrations",
}  # fmt: skip


def configured(folder: Path, kind: str = "linucb", **policy: Any) -> Settings:
    made = settings(folder, kind, policy={"kind": kind, **policy})
    limits = made.model_validate({**made.model_dump(exclude_unset=True), **CAP}).limits
    service = made.service.model_copy(update={"durability": "crash"})
    absences = (AbsenceSettings(name="away", days=30),)
    segments = made.segments.model_copy(update={"absences": absences})
    (home,) = made.placements
    placements = (home.model_copy(update={"behaviour": ("gap", "price")}),)
    changes = {
        "placements": placements,
        "limits": limits,
        "service": service,
        "inventories": (STOCK,),
        "webhook_endpoints": (NOBODY,),
        "segments": segments,
    }
    return made.model_copy(update=changes)


async def act(engine: Engine, visitor: str, number: int) -> str:
    """A decision, an order within its window, sometimes a reported reward; returns its id."""
    context = {"device": "mobile" if number % 2 else "desktop", "hour": number % 24 / 24}
    request = DecisionRequest(visitor=visitor, placement="home", context=context)
    answer = await engine.decider.decide(request)
    products = [{"product_id": "p", "category": "tea", "price": 3 + number % 5}]
    await engine.intake.one(
        {
            "userId": visitor,
            "event": "Order Completed",
            "messageId": f"m-{visitor}-{number}",
            "properties": {"products": products, "order_id": f"o-{visitor}-{number}"},
            "context": {"consent": {"categoryPreferences": {"Advertising": True}}},
        },
        "track",
        body_bytes=200,
    )
    if number % 3 == 0:
        reward = DecisionReward(value=0.25, reward_id=f"r-{visitor}-{number}")
        name = blake2b(f"{visitor}-{number}".encode(), digest_size=16).digest()
        once = KeyedRequest(name, name, engine.clock.now_us())
        await engine.rewarder.reward(answer["decision_id"], reward, once=once)
    return str(answer["decision_id"])


async def identify(engine: Engine, user: str, anonymous: str) -> None:
    message = {"userId": user, "anonymousId": anonymous, "messageId": f"i-{user}-{anonymous}"}
    await engine.intake.one(message, "identify", body_bytes=100)


async def lives(engine: Engine) -> None:
    """Seven strangers, and Ann under three ids, one after the other linked to each other."""
    ann, device, old = IDS
    for number in range(90):
        await act(engine, f"v{number % 7}", number)
        if number % 4 == 0:
            await act(engine, (device, old, ann)[number // 30], number)
    await identify(engine, ann, device)
    alias = {"previousId": old, "userId": ann, "messageId": f"alias-{old}"}
    await engine.intake.one(alias, "alias", body_bytes=100)
    for bad in ({"userId": ann, "event": "No Such"}, {"userId": 5, "event": "a", "x": [old]}):
        with pytest.raises(EventError):
            await engine.intake.one(bad, "track", body_bytes=100)
    for number in range(90, 100):
        await act(engine, device, number)
    assert engine.learner is not None
    await engine.learner.drain()


def stored(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        return store.execute(sql).fetchall()


def assert_nowhere(folder: Path, ids: tuple[str, ...]) -> None:
    for file in folder.iterdir():
        content = file.read_bytes()
        for name in ids:
            assert name.encode() not in content, f"{name} is in {file.name}"


def of_placement(engine: Engine) -> dict[str, Any]:
    """What a placement would do and expect, and what it counted."""
    placement, rng = engine.placements["home"], np.random.default_rng(0)
    sizes = (len(placement.contexts.names), len(placement.pairs.names))
    decisions = [
        placement.policy.decide(
            rng.normal(size=sizes[0]),
            Candidates(("tea", "salt", "beef"), rng.normal(size=(3, sizes[1]))),
            np.random.default_rng(seed),
        )
        for seed in range(10)
    ]
    return {
        "decisions": np.array(decisions),
        "n_updates": placement.policy.n_updates,
        "n_rewarded": placement.n_rewarded,
        "reward_sum": placement.reward_sum,
    }


def close_to(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-8, atol=1e-8, err_msg=name)


def relearned(folder: Path, made: Settings, how: str) -> dict[str, Any]:
    """The model of a service that has the log as it is, and no snapshots."""
    with closing(sqlite3.connect(folder / "s.db")) as store:
        store.execute("DELETE FROM models")
        store.commit()

    async def read(engine: Engine) -> dict[str, Any]:
        policy = engine.placements["home"].policy
        if how == "removed":
            assert isinstance(policy, LinearPolicy)
            policy.refit()  # priors as a function of nothing but the statistics
        return of_placement(engine)

    found: dict[str, Any] = run(made, read)
    return found


@pytest.mark.parametrize(
    ("kind", "parameters", "how"),
    [
        ("linucb", {}, "removed"),
        ("lints", {}, "removed"),
        ("squarecb", {}, "removed"),
        ("epsilon_greedy", {}, "removed"),
        ("linucb", {"half_life": 200.0}, "relearned"),
        ("logistic_ts", {}, "relearned"),
    ],
)
def test_the_model_equals_one_that_never_saw_the_visitor(
    tmp_path: Path, kind: str, parameters: dict[str, Any], how: str
) -> None:
    made = configured(tmp_path, kind, **parameters)

    async def work(engine: Engine) -> dict[str, Any]:
        await lives(engine)
        before = of_placement(engine)
        receipt, found = await engine.eraser.erase(IDS[0])
        assert found
        assert receipt.models == {"home": how}
        after = of_placement(engine)
        assert np.abs(before["decisions"] - after["decisions"]).max() > 1e-6
        return after

    close_to(run(made, work), relearned(tmp_path, made, how))


def test_nothing_of_the_erased_is_left_in_any_byte_and_the_others_are_as_they_were(
    tmp_path: Path,
) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> None:
        await lives(engine)
        await engine.save()
        await engine.members.catch_up()
        others = {name: engine.pipeline._profiles[name] for name in ("v0", "v6")}
        shown = engine.shown.of("v0")
        receipt, _ = await engine.eraser.erase(IDS[1])
        assert receipt.rows.keys() == PERSONAL
        assert all(n_rows > 0 for n_rows in receipt.rows.values())
        assert_nowhere(tmp_path, IDS)
        for name in IDS:
            assert engine.pipeline.resolve(name) == name
            assert engine.pipeline.profile_summary(name, engine.clock.now()) is None
            assert engine.shown.of(name) == NOTHING or not engine.shown.of(name).seq
        assert {name: engine.pipeline._profiles[name] for name in ("v0", "v6")} == others
        assert engine.shown.of("v0").seq == shown.seq

    run(made, work)
    assert_nowhere(tmp_path, IDS)
    tables = {name for (name,) in stored(tmp_path, "SELECT name FROM sqlite_master "
                                                   "WHERE type = 'table'")}  # fmt: skip
    assert tables == PERSONAL | OTHER, "a new table: can a person be in it? then erase it too"


def test_a_killed_service_comes_back_to_what_it_was_after_the_erasure(tmp_path: Path) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> tuple[dict[str, Any], dict[str, bytes]]:
        await lives(engine)
        await engine.eraser.erase(IDS[0])
        for number in range(100, 120):  # places in the log go on where they were
            await act(engine, f"v{number % 7}", number)
        assert engine.learner is not None
        await engine.learner.drain()
        return model_of(engine), dict(engine.pipeline._profiles)

    async def read(engine: Engine) -> tuple[dict[str, Any], dict[str, bytes]]:
        return model_of(engine), dict(engine.pipeline._profiles)

    model, profiles = run(made, work, kill=True)
    found, refolded = run(made, read)
    close_to(model, found)
    assert profiles == refolded


def test_places_of_erased_rows_are_not_given_again(tmp_path: Path) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> None:
        assert engine.learner is not None
        await act(engine, "bob", 1)
        await act(engine, IDS[0], 2)  # the last rows of every table are hers
        await engine.learner.drain()
        n_learned = engine.placements["home"].n_rewarded
        await engine.save()
        await engine.eraser.erase(IDS[0])
        await act(engine, "bob", 4)
        await engine.learner.drain()
        assert engine.placements["home"].n_rewarded == n_learned
        summary = engine.pipeline.profile_summary("bob", engine.clock.now())
        assert summary is not None
        assert summary.orders == 2

    run(made, work)


def test_erasing_twice_answers_the_same_receipt_and_strangers_get_one(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await lives(engine)
        first, found = await engine.eraser.erase(IDS[0])
        assert found
        for name in IDS:
            assert await engine.eraser.erase(name) == (first, False)
        stranger, found = await engine.eraser.erase("nobody")
        assert not found
        assert stranger.receipt_id != first.receipt_id
        assert set(stranger.rows.values()) == {0}
        assert await engine.eraser.erase("nobody") == (stranger, False)

    run(configured(tmp_path), work)
    for row in stored(tmp_path, "SELECT * FROM erasures"):
        assert not any(name in str(row) for name in (*IDS, "nobody"))


def test_the_past_is_refused_and_the_future_counts_anew(tmp_path: Path) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> None:
        await lives(engine)
        decision = await act(engine, IDS[0], 7)
        late = {
            "userId": IDS[0],
            "event": "Order Completed",
            "messageId": "m-late",
            "timestamp": engine.clock.now().isoformat(),
        }
        await engine.eraser.erase(IDS[0])
        with pytest.raises(ErasedError, match="before the erasure"):
            await engine.intake.one(late, "track", body_bytes=100)
        _, rejected = await engine.intake.batch([{**late, "type": "track"}], None, 100)
        assert [fault["field"] for fault in rejected] == ["timestamp"]
        with pytest.raises(ValueError, match="no such decision"):
            await engine.rewarder.reward(decision, DecisionReward(value=1.0))

    async def again(engine: Engine) -> None:
        with pytest.raises(ErasedError):  # also after a restart
            await engine.intake.one(
                {"anonymousId": IDS[1], "timestamp": "2026-11-20T00:00:00Z"}, "page", body_bytes=100
            )
        await act(engine, IDS[0], 8)
        summary = engine.pipeline.profile_summary(IDS[0], engine.clock.now())
        assert summary is not None
        assert summary.orders == 1

    run(made, work)
    assert_nowhere(tmp_path, IDS)
    run(made, again)


def test_what_a_shared_device_did_for_others_stays(tmp_path: Path) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> None:
        await act(engine, SHARED, 1)  # becomes Bob's
        await identify(engine, "bob", SHARED)
        await act(engine, SHARED, 2)
        await identify(engine, IDS[0], SHARED)  # from now on Ann's
        await act(engine, SHARED, 4)
        await act(engine, IDS[0], 5)
        bob = engine.pipeline._profiles["bob"]
        receipt, _ = await engine.eraser.erase(IDS[0])
        assert receipt.rows["events"] == 3  # signed in, and two orders
        assert engine.pipeline._profiles["bob"] == bob
        assert engine.pipeline.resolve(SHARED) == "bob"

    run(made, work)
    assert_nowhere(tmp_path, IDS)
    assert stored(tmp_path, "SELECT alias, visitor FROM aliases") == [(SHARED, "bob")]


def test_decisions_and_events_under_way_are_erased_or_new_but_never_half(tmp_path: Path) -> None:
    made = configured(tmp_path)

    async def work(engine: Engine) -> None:
        await lives(engine)
        going = [asyncio.create_task(act(engine, IDS[0], number)) for number in range(200, 220)]
        await asyncio.sleep(0)
        erasing = asyncio.create_task(engine.eraser.erase(IDS[0]))
        for number in range(300, 315):
            going.append(asyncio.create_task(act(engine, IDS[0], number)))
            await asyncio.sleep(0.001)
        await erasing
        await asyncio.gather(*going, return_exceptions=True)
        _, rows = await engine.eraser.export(IDS[0])
        summary = engine.pipeline.profile_summary(IDS[0], engine.clock.now())
        assert (summary.orders if summary else 0) == len(rows["events"])

    run(made, work)


def test_an_export_holds_everything_under_all_ids(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await lives(engine)
        person, rows = await engine.eraser.export(IDS[2])
        assert set(person.ids) == set(IDS)
        assert {row["visitor"] for row in rows["decisions"]} == set(IDS)
        assert len(rows["events"]) == 35 - 2 + 2
        assert len(rows["decisions"]) == 33
        assert len(rows["dead_letters"]) == 2
        named = {row["decision_id"] for row in rows["rewards"]}
        assert named <= {row["decision_id"] for row in rows["decisions"]}
        _, nothing = await engine.eraser.export("nobody")
        assert not any(nothing.values())

    run(configured(tmp_path), work)
