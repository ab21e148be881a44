"""Bad input over HTTP: each a clear problem, the service goes on, nothing accepted is lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.service import problem_of

DECISIONS, REWARDS, TRACK = "/v1/decisions", "/v1/rewards", "/v1/track"
WITNESS = "witness"
LONG = "x" * 1_000_000


@pytest.fixture(autouse=True)
def goes_on(service: httpx.Client) -> Iterator[None]:
    """Good events before and after are all there, and the service lives."""
    send_good_event(service)
    before = service.get(f"/v1/visitors/{WITNESS}").json()["events"]
    yield
    assert service.get("/healthz").json() == {"status": "alive"}
    send_good_event(service)
    assert service.get(f"/v1/visitors/{WITNESS}").json()["events"] == before + 1


def send_good_event(service: httpx.Client) -> None:
    message = {"event": "Product Viewed", "userId": WITNESS, "messageId": uuid4().hex}
    answer = service.post(TRACK, json=message)
    assert answer.json()["accepted"] == 1, answer.text


def asked(**changes: Any) -> bytes:
    """A decision request; Python's JSON writes NaN and Infinity where they are given."""
    return json.dumps({"visitor": "v", "placement": "home", **changes}).encode()


def sent(**changes: Any) -> bytes:
    return json.dumps({"event": "Order Completed", "userId": "v", **changes}).encode()


def away(**distance: float) -> str:
    return (datetime.now(UTC) + timedelta(**distance)).isoformat()


def short(value: object) -> str | None:
    """A test's name is no place for a million characters."""
    return repr(value[:60]) if isinstance(value, bytes | str) else None


def candidates(n: int) -> list[dict[str, Any]]:
    return [{"id": f"c{i}", "category": f"Category {i % 50}"} for i in range(n)]


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b'{"placement": "home"}', "visitor", ""),
        (asked(visitor=""), "visitor", ""),
        (asked(visitor=None), "visitor", "null"),
        (asked(visitor=7), "visitor", "7"),
        (asked(visitor=LONG), "visitor", "x" * 79 + "…"),
        (asked(visitor="a\0b"), "visitor", "a\0b"),
        (asked(placement=["home"]), "placement", '["home"]'),
        (asked(context=[]), "context", "[]"),
        (asked(context={"basket": float("nan")}), "context.basket", "NaN"),
        (asked(context={"basket": float("inf")}), "context.basket", "Infinity"),
        (asked(context={"basket": 0}).replace(b"0", b"1e999"), "context.basket", "Infinity"),
        (asked(context={"basket": 10**400}), "context.basket", "1" + "0" * 78 + "…"),
        (asked(context={"basket": "3"}), "context.basket", "3"),
        (asked(context={"device": "fridge"}), "context.device", "fridge"),
        (asked(context={"devise": "mobile"}), "context.devise", "mobile"),
        (asked(context={LONG: 1}), "context." + "x" * 71 + "…", "1"),
        (asked(actions=[]), "actions", "[]"),
        (asked(actions={}), "actions", "{}"),
        (asked(actions=[{"id": "c", "kind": "bribe"}]), "actions[0].kind", "bribe"),
        (asked(actions=[{"id": "x" * 10_000}]), "actions[0].id", "x" * 79 + "…"),
        (asked(actions=[{"id": "c", "features": {"discount": "1"}}]),
         "actions[0].features.discount", "1"),
        (asked(actions=[{"id": "c", "features": {"discount": True}}]),
         "actions[0].features.discount", "true"),
        (asked(actions=[{"id": "c", "features": {"discount": float("nan")}}]),
         "actions[0].features.discount", "NaN"),
        (asked(actions=[{"id": "a"}, {"id": "b"}, {"id": "a"}]), "actions[2].id", "a"),
        (asked(actions=candidates(10_001)), "actions", None),
        (asked(excluded="tea"), "excluded", "tea"),
        (asked(timestamp="2026-11-23T08:00:00Z"), "timestamp", None),
        (asked(timestamp="yesterday"), "timestamp", "yesterday"),
        (asked(timestamp="9999-12-31T23:59:59Z"), "timestamp", None),
        (asked(vizitor="v"), "vizitor", "v"),
        (asked(**{LONG: 1}), "x" * 79 + "…", "1"),
        (b"[]", "body", "[]"),
        (b'"home"', "body", "home"),
        (b"null", "body", "null"),
    ],
    ids=short,
)  # fmt: skip
def test_a_decision_that_breaks_a_rule_is_refused_by_field_and_value(
    service: httpx.Client, body: bytes, field: str, value: str | None
) -> None:
    problem = problem_of(service.post(DECISIONS, content=body), 422, field)
    if value is not None:
        assert problem["errors"][0]["value"] == value


@pytest.mark.parametrize(
    "action",
    [
        {"id": "c", "features": {"colour": 1}},
        {"id": "c", "features": {"discount": 1e300}},
        {"id": "c", "payload": {"price": float("inf")}},
        {"id": "c", "payload": {"text": "x" * 200_000}},
        {"id": "line\nbreak"},
    ],
)
def test_a_candidate_that_cannot_be_offered_is_refused(
    service: httpx.Client, action: dict[str, Any]
) -> None:
    body = asked(actions=[{"id": "good"}, action])
    problem_of(service.post(DECISIONS, content=body), 422, "actions[1]")


def test_an_unknown_placement_is_answered_with_the_nearest(service: httpx.Client) -> None:
    problem = problem_of(service.post(DECISIONS, content=asked(placement="hone")), 404, "placement")
    assert problem["errors"][0]["value"] == "hone"
    assert "did you mean 'home'?" in problem["errors"][0]["rule"]


@pytest.mark.parametrize("n", [1, 1_000, 10_000])
def test_many_candidates_are_answered(service: httpx.Client, n: int) -> None:
    answer = service.post(DECISIONS, content=asked(actions=candidates(n)))
    assert answer.status_code == 200, answer.text[:300]
    ranking = answer.json()["ranking"]
    assert {item["id"] for item in ranking} == {f"c{i}" for i in range(n)}
    assert sum(item["probability"] for item in ranking) == pytest.approx(1)


def test_with_every_action_excluded_the_default_is_shown(service: httpx.Client) -> None:
    answer = service.post(DECISIONS, content=asked(excluded=["tea", "salt", "beef"])).json()
    assert (answer["action"]["id"], answer["probability"]) == ("tea", 1)
    assert answer["default"]
    assert answer["reason"] == "no eligible action"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (sent(event="Order Complete"), "event"),
        (sent(event=None), "event"),
        (sent(event=3), "event"),
        (sent(userId=None), "userId"),
        (sent(userId=""), "userId"),
        (sent(userId="null"), "userId"),
        (sent(userId=12), "userId"),
        (sent(userId="a\0b"), "userId"),
        (sent(userId="x" * 201), "userId"),
        (sent(userId=LONG), "message"),
        (sent(type="page"), "type"),
        (sent(properties=[]), "properties"),
        (sent(properties={"total": -0.01}), "properties.total"),
        (sent(properties={"revenue": "9.90"}), "properties.revenue"),
        (sent(properties={"tax": True}), "properties.tax"),
        (sent(properties={"total": 1e11}), "properties.total"),
        (sent(properties={"total": 0}).replace(b"0", b"1e999"), "properties.total"),
        (sent(properties={"products": "tea"}), "properties.products"),
        (sent(properties={"products": [{}, 7]}), "properties.products[1]"),
        (sent(properties={"products": [{"price": -5}]}), "properties.products[0].price"),
        (sent(properties={"products": [{"quantity": 1.5}]}), "properties.products[0].quantity"),
        (sent(properties={"products": [{"quantity": -1}]}), "properties.products[0].quantity"),
        (sent(properties={"products": [{}] * 1001}), "properties.products"),
        (sent(timestamp=away(days=-365)), "timestamp"),
        (sent(timestamp=away(days=365)), "timestamp"),
        (sent(timestamp="0001-01-01T00:00:00+14:00"), "timestamp"),
        (sent(timestamp="2026-11-23T08:00:00"), "timestamp"),
        (sent(timestamp=1_700_000_000), "timestamp"),
        (sent(timestamp=away(), sentAt="soon"), "sentAt"),
        (sent(context={"consent": {"categoryPreferences": {"ads": "no"}}}),
         "context.consent.categoryPreferences.ads"),
        (b"[]", "message"),
    ],
    ids=short,
)  # fmt: skip
def test_an_event_that_breaks_a_rule_is_refused_by_the_senders_name_of_the_field(
    service: httpx.Client, body: bytes, field: str
) -> None:
    problem_of(service.post(TRACK, content=body), 422, field)


def test_a_refused_value_is_shown_once_quoted(service: httpx.Client) -> None:
    problem = problem_of(service.post(TRACK, content=sent(event="Order Complete")), 422, "event")
    assert problem["errors"][0]["value"] == "'Order Complete'"
    assert "did you mean 'Order Completed'?" in problem["errors"][0]["rule"]
