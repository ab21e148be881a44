"""GA4's Measurement Protocol: which event each is, once, and what its validation says."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ingest.ga4 import IGNORED, NAMES, envelope_of, events_of, parse_ga4
from segments.event import EVENT_NAMES, Event, EventError
from tests.api.service import configuration, problem_of, running_service, stored
from tests.api.test_auth import KEYS, configured
from tests.api.test_bodies import JSON

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ITEM = {
    "item_id": "p1", "item_name": "Oolong", "item_brand": "Sons", "item_category": "Tea",
    "item_variant": "100 g", "price": 4.75, "quantity": 2, "index": 3, "coupon": "TEA5",
}  # fmt: skip
BOUGHT = {
    "transaction_id": "T1", "value": 9.5, "tax": 0.67, "shipping": 3, "currency": "EUR",
    "coupon": "TEA5", "items": [ITEM],
}  # fmt: skip


def parse(name: str, params: object = None, **envelope: Any) -> Event:
    made = envelope_of({"client_id": "1.2", **envelope})
    return parse_ga4({"name": name, "params": params}, 0, made, NOW)


def test_every_name_is_one_of_our_events() -> None:
    assert set(NAMES.values()) <= EVENT_NAMES
    assert not IGNORED & set(NAMES)


def test_a_purchase() -> None:
    event = parse("purchase", BOUGHT, user_id="ann")
    assert (event.name, event.order_id) == ("Order Completed", "T1")
    assert (event.visitor, event.anonymous_id) == ("ann", "1.2")
    assert (event.revenue_cents, event.total_cents) == (950, 1317)
    assert (event.tax_cents, event.shipping_cents, event.coupon) == (67, 300, "TEA5")
    (product,) = event.products
    told = (product.product_id, product.category, product.brand, product.price_cents)
    assert told == ("p1", "Tea", "Sons", 475)
    assert (product.quantity, product.position, product.variant) == (2, 3, "100 g")


def test_a_transaction_is_one_purchase_whenever_it_is_sent() -> None:
    ids = {parse("purchase", BOUGHT, timestamp_micros=at).message_id for at in (None, 5, "6")}
    assert len(ids) == 1
    assert parse("purchase", {**BOUGHT, "transaction_id": "T2"}).message_id not in ids


def test_what_says_its_time_is_known_again_and_what_does_not_is_not() -> None:
    moment = int(NOW.timestamp() * 1e6)
    same = {parse("view_cart", timestamp_micros=at).message_id for at in (moment, str(moment))}
    assert len(same) == 1
    assert parse("view_cart", {"x": 1}, timestamp_micros=moment).message_id not in same
    assert parse("view_cart").message_id != parse("view_cart").message_id
    assert parse("view_cart", timestamp_micros=moment).timestamp == NOW


def test_a_time_of_an_event_is_before_that_of_all() -> None:
    envelope = envelope_of({"client_id": "1.2", "timestamp_micros": 5})
    event = {"name": "page_view", "timestamp_micros": 7_000_000}
    assert parse_ga4(event, 0, envelope, NOW).timestamp.second == 7


def test_a_login_links_both_ids_and_needs_a_user() -> None:
    event = parse("login", user_id="ann")
    assert (event.name, event.user_id, event.anonymous_id) == ("Identified", "ann", "1.2")
    with pytest.raises(EventError, match="user_id"):
        parse("sign_up")


def test_consent_and_apps() -> None:
    consent = {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"}
    said = parse("page_view", consent=consent).consent
    assert said == (("ad_user_data", True), ("ad_personalization", False))
    assert envelope_of({"app_instance_id": "a"}).channel == "app"


@pytest.mark.parametrize(
    ("name", "params", "envelope", "field"),
    [
        ("level_up", {}, {}, "events[0].name"),
        ("purchase", {}, {}, "events[0].params.transaction_id"),
        ("refund", {"value": 3}, {}, "events[0].params.transaction_id"),
        ("purchase", {**BOUGHT, "value": "9"}, {}, "events[0].value"),
        ("purchase", {**BOUGHT, "value": -1}, {}, "events[0].value"),
        ("purchase", {**BOUGHT, "items": 3}, {}, "events[0].params.items"),
        ("purchase", {**BOUGHT, "items": [3]}, {}, "events[0].params.items[0]"),
        ("page_view", [], {}, "events[0].params"),
        ("page_view", {}, {"client_id": None}, "client_id"),
        ("page_view", {}, {"client_id": 3}, "client_id"),
        ("page_view", {}, {"consent": {"ad_user_data": "maybe"}}, "consent.ad_user_data"),
        ("page_view", {}, {"timestamp_micros": "soon"}, "timestamp_micros"),
        ("page_view", {}, {"timestamp_micros": -1}, "timestamp_micros"),
    ],
)
def test_what_breaks_a_rule_is_named(
    name: str, params: object, envelope: dict[str, Any], field: str
) -> None:
    with pytest.raises(EventError) as refused:
        parse(name, params, **envelope)
    assert refused.value.field == field


@given(
    st.dictionaries(st.sampled_from(["client_id", "events", "consent", "timestamp_micros"]), JSON)
)
def test_any_request_is_events_or_a_refusal(payload: Any) -> None:
    with contextlib.suppress(EventError):
        for index, event in events_of(payload):
            parse_ga4(event, index, envelope_of(payload), NOW)


@given(st.sampled_from(sorted(NAMES)), st.dictionaries(st.sampled_from(sorted(BOUGHT)), JSON))
def test_any_params_are_an_event_or_a_refusal(name: str, params: Any) -> None:
    with contextlib.suppress(EventError):
        assert parse(name, {**BOUGHT, **params}, user_id="ann").name == NAMES[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ga4")


@pytest.fixture(scope="module")
def measured(folder: Path) -> Iterator[httpx.Client]:
    keys = [configured(name, KEYS[name], name) for name in ("ingest", "read")]
    with running_service(folder, configuration(keys=keys)) as client:
        yield client
    assert KEYS["ingest"] not in (folder / "log").read_text()


QUERY = {"measurement_id": "G-1", "api_secret": KEYS["ingest"]}


def test_a_request_is_taken_once_by_its_secret(measured: httpx.Client, folder: Path) -> None:
    moment = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1e6)
    events = [
        {"name": "session_start"},
        {"name": "view_item", "params": {"items": [ITEM]}},
        {"name": "level_up"},
        {"name": "purchase", "params": BOUGHT},
    ]
    body = {"client_id": "1.2", "timestamp_micros": moment, "events": events}
    for _ in range(2):
        answer = measured.post("/mp/collect", params=QUERY, json=body)
        assert (answer.status_code, answer.content) == (204, b"")
    sql = "SELECT name FROM events WHERE visitor = '1.2' ORDER BY seq"
    assert stored(folder, sql) == [("Product Viewed",), ("Order Completed",)]
    letters = stored(folder, "SELECT DISTINCT field, body FROM dead_letters")
    body = '{"client_id":"1.2","user_id":null,"event":{"name":"level_up"}}'
    assert letters == [("events[2].name", body)]  # with whose it is, for an erasure


@pytest.mark.parametrize("secret", [None, "", "segue_wrong", "é"])
def test_without_its_secret_a_request_is_refused(
    measured: httpx.Client, secret: str | None
) -> None:
    params = {} if secret is None else {"api_secret": secret}
    for path in ("/mp/collect", "/debug/mp/collect"):
        problem_of(measured.post(path, params=params, json={"client_id": "1"}), 401)
    problem_of(measured.post("/mp/collect", params={"api_secret": KEYS["read"]}, json={}), 403)
    many = "&".join(f"p{i}=1" for i in range(1_000))
    problem_of(measured.post(f"/mp/collect?{many}&api_secret={KEYS['ingest']}", json={}), 401)


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"events": [{"name": "page_view"}]}, "client_id", "VALUE_REQUIRED"),
        ({"client_id": "1", "events": [{"name": "x"}]}, "events[0].name", "NAME_INVALID"),
        (
            {"client_id": "1", "events": [{"name": "scroll"}] * 26},
            "events",
            "EXCEEDED_MAX_ENTITIES",
        ),
        (
            {"client_id": "1", "events": [{"name": "purchase"}]},
            "events[0].params.transaction_id",
            "VALUE_REQUIRED",
        ),
        (
            {"client_id": "1", "timestamp_micros": 5, "events": [{"name": "page_view"}]},
            "timestamp",
            "VALUE_INVALID",
        ),
    ],
)
def test_validation_says_what_is_wrong_and_keeps_nothing(
    measured: httpx.Client, folder: Path, body: Any, path: str, code: str
) -> None:
    counts = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters)"
    before = stored(folder, counts)
    answer = measured.post("/debug/mp/collect", params=QUERY, json=body)
    (message,) = answer.json()["validationMessages"]
    assert (message["fieldPath"], message["validationCode"]) == (path, code)
    assert message["description"]
    good = {"client_id": "1", "events": [{"name": "purchase", "params": BOUGHT}]}
    answer = measured.post("/debug/mp/collect", params=QUERY, json=good)
    assert answer.json() == {"validationMessages": []}
    assert stored(folder, counts) == before
