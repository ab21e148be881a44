"""Rewards over HTTP: reported or earned by an event, each counted once."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.service import configuration, placement, problem_of, running_service, stored

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OTHER = "f" * 32


def decide(client: httpx.Client, visitor: str, **more: Any) -> str:
    request = {"visitor": visitor, "placement": "home", **more}
    answer = client.post("/v1/decisions", json=request)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["decision_id"])


def by_body(client: httpx.Client, decision_id: str, **reward: Any) -> httpx.Response:
    return client.post("/v1/rewards", json={"decision_id": decision_id, **reward})


def by_path(client: httpx.Client, decision_id: str, **reward: Any) -> httpx.Response:
    return client.post(f"/v1/decisions/{decision_id}/reward", json=reward)


@pytest.fixture(params=[by_body, by_path], ids=["rewards", "decision"])
def report(request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """Either route."""
    route: Callable[..., httpx.Response] = request.param
    return route


def test_a_reward_counts_once_by_its_id(
    service: httpx.Client, service_folder: Path, report: Callable[..., httpx.Response]
) -> None:
    decision_id, reward_id = decide(service, "r"), uuid4().hex
    first, second = (
        report(service, decision_id, value=0.7, reward_id=reward_id).json() for _ in "12"
    )
    named = {"reward_id": reward_id, "decision_id": decision_id}
    assert first == {"status": "counted", **named}
    assert second == {"status": "duplicate", **named}
    sql = "SELECT value, source FROM rewards WHERE decision_id = ?"
    assert stored(service_folder, sql, decision_id) == [(0.7, "explicit")]


def test_a_reward_without_an_id_is_the_only_one_of_its_decision(
    service: httpx.Client, report: Callable[..., httpx.Response]
) -> None:
    decision_id = decide(service, "r")
    assert report(service, decision_id, value=1).json()["status"] == "counted"
    assert report(service, decision_id, value=1.0).json()["status"] == "duplicate"
    problem_of(report(service, decision_id, value=2), 409, "reward_id")
    more = report(service, decision_id, value=2, reward_id=uuid4().hex)
    assert more.json()["status"] == "counted"


def test_a_reward_id_used_for_something_else_is_a_conflict(
    service: httpx.Client, report: Callable[..., httpx.Response]
) -> None:
    one, other, reward_id = decide(service, "r"), decide(service, "r"), uuid4().hex
    assert report(service, one, value=1, reward_id=reward_id).status_code == 200
    problem = problem_of(report(service, one, value=2, reward_id=reward_id), 409, "reward_id")
    assert problem["errors"][0]["value"] == reward_id
    problem_of(report(service, other, value=1, reward_id=reward_id), 409, "reward_id")
    problem_of(report(service, OTHER, value=1, reward_id=reward_id), 404, "decision_id")


def test_a_reward_for_another_visitors_decision_is_refused(
    service: httpx.Client, service_folder: Path, report: Callable[..., httpx.Response]
) -> None:
    decision_id = decide(service, "owner")
    refused = report(service, decision_id, value=1, visitor="thief")
    assert problem_of(refused, 422, "visitor")["errors"][0]["value"] == "thief"
    sql = "SELECT count(*) FROM rewards WHERE decision_id = ?"
    assert stored(service_folder, sql, decision_id) == [(0,)]
    assert report(service, decision_id, value=1, visitor="owner").status_code == 200


def test_a_decision_under_the_anonymous_id_is_the_known_visitors(
    service: httpx.Client, report: Callable[..., httpx.Response]
) -> None:
    user = f"user-{uuid4().hex}"
    decision_id = decide(service, f"anonymous-{user}")
    problem_of(report(service, decision_id, value=1, visitor=user), 422, "visitor")
    service.post("/v1/identify", json={"userId": user, "anonymousId": f"anonymous-{user}"})
    assert report(service, decision_id, value=1, visitor=user).json()["status"] == "counted"


@pytest.mark.parametrize("decision_id", [OTHER, "nonsense", "🦊", "x" * 200])
def test_an_unknown_decision_is_a_404(
    service: httpx.Client, report: Callable[..., httpx.Response], decision_id: str
) -> None:
    problem = problem_of(report(service, decision_id, value=1), 404, "decision_id")
    assert problem["errors"][0]["rule"] == "no such decision"


@pytest.mark.parametrize(
    ("reward", "field"),
    [
        ({}, "value"),
        ({"value": None}, "value"),
        ({"value": "1"}, "value"),
        ({"value": True}, "value"),
        ({"value": 1e7}, "value"),
        ({"value": -1e7}, "value"),
        ({"value": 10**400}, "value"),
        ({"value": 1, "reward_id": ""}, "reward_id"),
        ({"value": 1, "reward_id": 5}, "reward_id"),
        ({"value": 1, "reward_id": "x" * 201}, "reward_id"),
        ({"value": 1, "reward_id": "event:m1:d1"}, "reward_id"),
        ({"value": 1, "reward_id": "window:d1"}, "reward_id"),
        ({"value": 1, "visitor": ""}, "visitor"),
        ({"value": 1, "propensity": 0.5}, "propensity"),
        ({"value": 1, "action": "tea"}, "action"),
    ],
)
def test_a_reward_that_breaks_a_rule_is_refused_by_field(
    service: httpx.Client,
    report: Callable[..., httpx.Response],
    reward: dict[str, Any],
    field: str,
) -> None:
    problem_of(report(service, decide(service, "r"), **reward), 422, field)


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1e999"])
def test_a_reward_is_a_finite_number(service: httpx.Client, value: bytes) -> None:
    path = f"/v1/decisions/{decide(service, 'r')}/reward"
    problem_of(service.post(path, content=b'{"value": %s}' % value), 422, "value")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("windows")


@pytest.fixture(scope="module")
def replayed(folder: Path) -> Iterator[httpx.Client]:
    """A service whose clock is the requests', with windows of an hour."""
    reward = {"match": "category", "window_minutes": 60, "default": -0.5}
    settings = configuration(
        service={"clock": "replay", "durability": "crash"},
        placements=[
            placement(reward=reward),
            placement(name="total", reward={**reward, "aggregation": "sum", "value": "revenue"}),
        ],
    )
    with running_service(folder, settings) as client:
        yield client


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def buy(client: httpx.Client, visitor: str, category: str, minutes: float) -> int:
    product = {"product_id": "p", "category": category, "price": 2.5, "quantity": 2}
    message = {
        "event": "Order Completed", "userId": visitor, "messageId": uuid4().hex,
        "timestamp": at(minutes), "properties": {"products": [product]},
    }  # fmt: skip
    answer = client.post("/v1/track", json=message)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["rewards"])


def rewards(folder: Path, decision_id: str) -> list[tuple[Any, ...]]:
    sql = "SELECT value, source FROM rewards WHERE decision_id = ? ORDER BY seq"
    return stored(folder, sql, decision_id)


def tea(client: httpx.Client, visitor: str, where: str = "home") -> str:
    """A decision for tea at minute 0."""
    candidates = [{"id": "c", "category": "Tea"}]
    return decide(client, visitor, placement=where, actions=candidates, timestamp=at(0))


@pytest.mark.parametrize(
    ("visitor", "purchases", "earned"),
    [
        ("hit", [("Tea", 5)], [1.0]),
        ("miss", [("Salt", 5)], [-0.5]),
        ("first", [("Salt", 5), ("Tea", 6)], [-0.5, 0.0]),
        ("edge", [("Tea", 59.99)], [1.0]),
        ("early", [("Tea", -1)], []),
        ("late", [("Tea", 60)], []),
    ],
)
def test_a_purchase_in_the_window_settles_the_decision(
    replayed: httpx.Client,
    folder: Path,
    visitor: str,
    purchases: list[tuple[str, float]],
    earned: list[float],
) -> None:
    decision_id = tea(replayed, visitor)
    counted = sum(buy(replayed, visitor, *purchase) for purchase in purchases)
    found = [value for value, source in rewards(folder, decision_id) if source == "event"]
    assert found == earned
    assert counted == sum(value != 0 for value in earned)


def test_the_sum_of_revenue_adds_up(replayed: httpx.Client, folder: Path) -> None:
    decision_id = tea(replayed, "adds", "total")
    for minutes in (1, 2):
        assert buy(replayed, "adds", "Tea", minutes) == 1
    assert [value for value, _ in rewards(folder, decision_id)] == [5.0, 5.0]


def test_an_empty_window_earns_the_default_and_a_late_reward_replaces_it(
    replayed: httpx.Client, folder: Path
) -> None:
    decision_id = tea(replayed, "window")
    assert rewards(folder, decision_id) == []
    buy(replayed, "somebody else", "Salt", 61)
    deadline = time.monotonic() + 30
    while not rewards(folder, decision_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert rewards(folder, decision_id) == [(-0.5, "window")]
    assert by_path(replayed, decision_id, value=2).json()["status"] == "counted"
    found = rewards(folder, decision_id)
    assert found == [(-0.5, "window"), (0.5, "window"), (2.0, "explicit")]


def test_what_was_rewarded_is_learned(replayed: httpx.Client) -> None:
    decision_id = decide(replayed, "learner", timestamp=at(100))
    before = _home(replayed)["learned_through"]
    by_body(replayed, decision_id, value=1)
    deadline = time.monotonic() + 30
    while _home(replayed)["learned_through"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert _home(replayed)["version"] != f"home@{before}"


def _home(client: httpx.Client) -> dict[str, Any]:
    policies = client.get("/v1/policies").json()["policies"]
    return next(policy for policy in policies if policy["placement"] == "home")
