"""One decision of the log over HTTP: everything that went into it, and to whom it is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.loop.records import Records
from tests.api.service import configuration, placement, problem_of, running_service
from tests.api.test_auth import bearer, configured

KEYS = {
    "shop": {"scopes": ["decide", "reward", "read", "ingest"]},
    "berlin": {"scopes": ["decide", "reward", "read"], "owner": "berlin"},
    "paris": {"scopes": ["decide", "reward", "read"], "owner": "paris"},
}
TEA = {"id": "price", "kind": "price", "price_cents": 990}
SHOPS = [
    placement(policy={"kind": "epsilon_greedy", "epsilon": 1.0}),
    placement(name="rivals", challenger={"kind": "lints", "share": 0.2}),
    placement(name="shown", reward={"activation": "shown"}),
    placement(name="never", condition="context.basket > 1000000"),
    placement(name="held", holdout={"share": 0.999}),
    {
        "name": "priced",
        "actions": ["price"],
        "default": "price",
        "price_range": {"min_cents": 500, "max_cents": 1500, "step_cents": 10, "n_bins": 4},
        "price": {"max_cents": 1200},
    },
]
BUDGET = {"name": "coupons", "amount_cents": 90, "period_days": 365, "costs": {"salt": 9}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    keys = [
        configured(name, name, *key["scopes"]) | ({"owner": key["owner"]} if "owner" in key else {})
        for name, key in KEYS.items()
    ]
    settings = configuration(placements=SHOPS, keys=keys, budgets=[BUDGET])
    settings["actions"].append(TEA)
    with running_service(folder, settings) as client:
        client.headers.update(bearer("shop"))
        yield client


def decide(client: httpx.Client, shop: str, key: str = "shop", **more: Any) -> dict[str, Any]:
    context = {} if shop == "priced" else {"basket": 0.5, "device": "mobile"}
    body = {"visitor": "ann", "placement": shop, "context": context, **more}
    answer = client.post("/v1/decisions", json=body, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def record(client: httpx.Client, decision_id: str, key: str = "shop") -> dict[str, Any]:
    answer = client.get(f"/v1/decisions/{decision_id}", headers=bearer(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_record_is_what_was_answered_and_what_went_into_it(client: httpx.Client) -> None:
    decided = decide(client, "home", excluded=["beef"])
    found = record(client, decided["decision_id"])
    for name in ("probability", "price_cents", "density", "segment", "group", "default", "reason"):
        assert found[name] == decided[name]
    assert (found["action"], found["visitor"], found["owner"]) == (
        decided["action"]["id"],
        "ann",
        None,
    )
    assert found["context"]["basket"] == 0.5
    assert found["context"]["device=mobile"] == 1.0
    told = {one["id"]: (one["probability"], one["reason"]) for one in found["candidates"]}
    assert told == {one["id"]: (one["probability"], one["reason"]) for one in decided["ranking"]}
    assert found["candidates"][0]["id"] == found["action"]
    assert told["beef"] == (0.0, "excluded")
    tea = next(one for one in found["candidates"] if one["id"] == "tea")
    assert tea["features"]["discount"] == pytest.approx(0.1)
    salt = next(one for one in found["candidates"] if one["id"] == "salt")
    assert (salt["cost"] is not None, tea["cost"]) == (True, 0.0)
    policy = found["policy"]
    assert policy["version"] == decided["policy_version"]
    assert policy["version"] == f"home.{policy['configuration']}@{policy['learned_through']}"
    assert policy["parameters"]["epsilon"] == 1.0
    assert policy["is_current"]
    assert all(one["expected"] is not None for one in found["candidates"][:2])
    assert (found["reward"], found["rewards"], found["shown"]) == (None, [], None)


def test_rewards_are_told_with_where_they_come_from(client: httpx.Client) -> None:
    decision_id = decide(client, "rivals", visitor="bob")["decision_id"]
    order = {
        "userId": "bob", "event": "Order Completed", "messageId": "m-bob",
        "properties": {"order_id": "o1", "products": [
            {"product_id": "p", "category": name, "price": 3} for name in ("Tea", "Salt", "Beef")
        ]},
    }  # fmt: skip
    assert client.post("/v1/track", json=order).status_code == 200
    report = {"decision_id": decision_id, "value": 0.5, "reward_id": "r1"}
    assert client.post("/v1/rewards", json=report).status_code == 200
    found = record(client, decision_id)
    assert [one["source"] for one in found["rewards"]] == ["event", "explicit"]
    assert [one["event"] for one in found["rewards"]] == ["Order Completed", None]
    assert found["rewards"][0]["message_id"] == "m-bob"
    assert found["reward"] == sum(one["value"] for one in found["rewards"])
    assert found["policy"]["parameters"]["challenger"] == {"kind": "lints", "share": 0.2}


def test_whether_it_was_shown_is_told_where_that_counts(client: httpx.Client) -> None:
    decision_id = decide(client, "shown")["decision_id"]
    assert record(client, decision_id)["shown"] is False
    assert client.post(f"/v1/decisions/{decision_id}/activate").status_code == 200
    assert record(client, decision_id)["shown"] is True


def test_a_slot_names_its_list_and_what_slots_above_left(client: httpx.Client) -> None:
    answer = decide(client, "home", slots=[{"id": "top"}, {"id": "low"}])
    top, low = (slot["decision"] for slot in answer["slots"])
    found = record(client, low["decision_id"])
    assert (found["list_id"], found["slot"]) == (answer["list_id"], "low")
    told = {one["id"]: one["reason"] for one in found["candidates"]}
    assert told[top["action"]["id"]] == "excluded"


def test_a_price_is_told_with_those_that_the_guards_left(client: httpx.Client) -> None:
    decided = decide(client, "priced")
    found = record(client, decided["decision_id"])
    assert found["prices"] == {"first_cents": 500, "last_cents": 1200, "step_cents": 10}
    assert (found["price_cents"], found["density"]) == (decided["price_cents"], decided["density"])


def test_defaults_and_the_control_group_are_told_as_such(client: httpx.Client) -> None:
    found = record(client, decide(client, "never")["decision_id"])
    assert (found["default"], found["reason"]) == (True, "no eligible action")
    assert found["context"] == {}
    assert found["candidates"][0]["id"] == found["action"] == "tea"
    assert {one["reason"] for one in found["candidates"]} == {"ineligible"}
    found = record(client, decide(client, "held")["decision_id"])
    assert found["group"] == "control"
    assert {one["reason"] for one in found["candidates"][1:]} == {"held_out"}


def test_an_owner_knows_its_own_decisions_only_and_the_shop_all(client: httpx.Client) -> None:
    decision_id = decide(client, "home", key="berlin")["decision_id"]
    for path in (f"/v1/decisions/{decision_id}", f"/v1/decisions/{decision_id}/explanation"):
        assert client.get(path, headers=bearer("berlin")).status_code == 200
        assert client.get(path).status_code == 200
        problem_of(client.get(path, headers=bearer("paris")), 404, "decision_id")
    assert record(client, decision_id)["owner"] == "berlin"


def test_what_is_not_in_the_log_is_a_404_that_says_why(client: httpx.Client) -> None:
    problem = problem_of(client.get(f"/v1/decisions/{'0' * 32}"), 404, "decision_id")
    assert "erased with its visitor" in problem["detail"]
    problem_of(client.get("/v1/decisions/nothing"), 404, "decision_id")


def test_one_that_is_older_than_is_kept_is_told_so() -> None:
    from api.loop.clock import SystemClock
    from api.retention_settings import RetentionSettings

    records = Records(None, {}, RetentionSettings(decisions_days=30), SystemClock())  # type: ignore[arg-type]  # not asked
    old = (1_600_000_000_000).to_bytes(6, "big").hex() + "0" * 20
    assert "it is of 2020-09-13 by its id" in records._why_not(old)
    assert "keeps decisions for 30 days" in records._why_not(old)
    assert "erased" in records._why_not("f" * 32)


def test_decisions_are_derived_again_beside_the_running_service(
    client: httpx.Client, folder: Path
) -> None:
    for number in range(20):
        decide(client, SHOPS[number % len(SHOPS)]["name"], visitor=f"replayed-{number}")
    result = CliRunner().invoke(app, ["replay", "--all", "--config", str(folder / "segue.toml")])
    assert result.exit_code == 0, result.output
    assert "100.00%" in result.output
