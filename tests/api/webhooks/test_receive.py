"""Webhooks in, over real HTTP: who may send them, that they count once, and what is refused."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.configuration import parse_settings
from api.settings import SettingsError
from tests.api.service import configuration, placement, problem_of, running_service, stored
from tests.api.test_auth import KEYS, configured
from tests.api.test_bodies import JSON
from tests.api.test_bodies import MALFORMED as MALFORMED_BODIES
from tests.api.webhooks.senders import (
    NEW,
    OLD,
    SHOPIFY_NEW,
    SHOPIFY_OLD,
    SOURCES,
    now,
    order,
    payload,
    shopify,
    standard,
)
from tests.api.webhooks.test_signature import MALFORMED
from tests.api.worker.test_retention import Later

SECRETS = (OLD, NEW, SHOPIFY_OLD, SHOPIFY_NEW)
PATH = "/v1/webhooks/shop"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("webhooks")


@pytest.fixture(scope="module")
def hooked(folder: Path) -> Iterator[httpx.Client]:
    """A service with keys, which webhooks do without."""
    keys = [configured("all", KEYS["read"], "read", "decide")]
    reward = {"value": "revenue", "window_minutes": 60, "aggregation": "sum"}
    placements = [placement(reward=reward)]
    made = configuration(webhook_sources=SOURCES, keys=keys, placements=placements)
    with running_service(folder, made) as client:
        yield client
    log = (folder / "log").read_text()
    assert not any(secret.removeprefix("whsec_") in log for secret in SECRETS)


def send(client: httpx.Client, body: bytes, headers: Any, name: str = "shop") -> httpx.Response:
    return client.post(f"/v1/webhooks/{name}", content=body, headers=headers)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_any_of_the_secrets_may_have_signed(hooked: httpx.Client, secret: str) -> None:
    body = payload(order_id=f"o-{secret[-8:]}", total=12.5)
    told = send(hooked, body, standard(body, f"msg_{secret[-8:-2]}", secret))
    assert told.status_code == 200, told.text
    assert (told.json()["accepted"], told.json()["rejected"]) == (1, [])


def test_a_delivery_that_is_repeated_counts_once(hooked: httpx.Client, folder: Path) -> None:
    body = payload("product viewed", product_id="p")
    for n_before in (0, 1):  # sent again, with a new timestamp and a new signature
        told = send(hooked, body, standard(body, "msg_twice", at=now(-n_before))).json()
        assert (told["accepted"], told["duplicates"]) == (1 - n_before, n_before)
    rows = stored(folder, "SELECT name FROM events WHERE message_id LIKE 'webhook:shop:msg_twice%'")
    assert rows == [("Product Viewed",)]


def test_segments_messages_are_taken_as_they_are(hooked: httpx.Client) -> None:
    batch = {"batch": [{"type": "page", "userId": "hook"}, {"type": "track"}]}
    body = json.dumps(batch).encode()
    told = send(hooked, body, standard(body, "msg_batch")).json()
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (1, [1])
    assert send(hooked, body, standard(body, "msg_batch")).json()["duplicates"] == 1


@pytest.mark.parametrize("value", [text.encode("latin-1") for text in MALFORMED if text != "\0"])
def test_a_malformed_signature_is_a_401(hooked: httpx.Client, value: bytes) -> None:
    body = payload()
    headers = [(k.encode(), v.encode()) for k, v in standard(body).items()]
    headers[2] = (b"webhook-signature", value.strip())
    problem = problem_of(hooked.post(PATH, content=body, headers=headers), 401)
    assert problem["type"] == "urn:segue:problem:bad-signature"


def test_strangers_replays_and_altered_bodies_are_refused(
    hooked: httpx.Client, folder: Path
) -> None:
    body = payload(order_id="forged")
    good = standard(body)
    refused = [
        (body, {}),
        (body + b" ", good),
        (body, {**good, "webhook-id": "msg_other"}),
        (body, standard(body, at=now(-3_600))),
        (body, standard(body, at=now(3_600))),
        (body, standard(body, secret=f"whsec_{'A' * 40}")),
        (body, shopify(body, "orders/create")),
        (body, {"authorization": f"Bearer {KEYS['read']}"}),
    ]
    for content, headers in refused:
        problem_of(send(hooked, content, headers), 401)
    assert stored(folder, "SELECT count(*) FROM events WHERE order_id = 'forged'") == [(0,)]
    bad = order(99)
    content = json.dumps(bad).encode()
    for headers in (shopify(content, "orders/create", "x" * 16), standard(content)):
        problem_of(send(hooked, content, headers, "shopify"), 401)
    assert stored(folder, "SELECT count(*) FROM events WHERE order_id = '99'") == [(0,)]


def test_a_source_that_is_not_configured_is_unknown(hooked: httpx.Client) -> None:
    problem_of(send(hooked, payload(), {}, "nobody"), 404, "source")


def test_a_body_is_bounded_before_it_is_looked_at(hooked: httpx.Client) -> None:
    problem_of(send(hooked, b" " * 3_000_000, {}), 413)


def test_what_is_signed_but_no_event_is_a_dead_letter_and_not_sent_again(
    hooked: httpx.Client, folder: Path
) -> None:
    for number, body in enumerate((payload("cart.exploded"), b"[3]", payload(userId=None))):
        told = send(hooked, body, standard(body, f"msg_bad{number}"))
        assert told.status_code == 200
        assert (told.json()["accepted"], len(told.json()["rejected"])) == (0, 1)
    problem_of(send(hooked, b"no json", standard(b"no json")), 400)
    content = json.dumps(order(customer=None, note_attributes=None)).encode()
    assert send(hooked, content, shopify(content, "orders/create"), "shopify").json()["rejected"]
    letters = stored(folder, "SELECT field, body FROM dead_letters ORDER BY seq DESC LIMIT 1")
    assert letters == [("customer.id", '{"topic":"orders/create","id":7}')]


@pytest.mark.parametrize("kind", MALFORMED_BODIES)
def test_what_is_signed_but_not_json_is_a_400(hooked: httpx.Client, kind: str) -> None:
    body = MALFORMED_BODIES[kind]
    problem_of(send(hooked, body, shopify(body, "orders/create"), "shopify"), 400)


@settings(max_examples=60, deadline=None)
@given(body=JSON, topic=st.sampled_from(["orders/create", "refunds/create", "customers/update"]))
def test_no_signed_json_makes_the_service_fail(hooked: httpx.Client, body: Any, topic: str) -> None:
    text = json.dumps(body).encode()
    for name, headers in (("shop", standard(text)), ("shopify", shopify(text, topic))):
        answer = send(hooked, text, headers, name)
        if answer.status_code != 200:  # text that has no UTF-8
            problem_of(answer, 400)


def test_an_order_of_shopifys_earns_the_page_its_reward_and_a_refund_takes_it_back(
    hooked: httpx.Client, folder: Path
) -> None:
    headers = {"authorization": f"Bearer {KEYS['read']}"}
    ask = {"visitor": "browser-1", "placement": "home"}
    decision_id = hooked.post("/v1/decisions", json=ask, headers=headers).json()["decision_id"]

    def reward() -> float:
        sql = "SELECT total(value) FROM rewards WHERE decision_id = ?"
        return float(stored(folder, sql, decision_id)[0][0])

    bought = json.dumps(order(1234, created_at=now().isoformat())).encode()
    for secret, topic in ((SHOPIFY_OLD, "orders/create"), (SHOPIFY_NEW, "orders/paid")):
        told = send(hooked, bought, shopify(bought, topic, secret), "shopify").json()
        assert told["accepted"] == (topic == "orders/create")
    assert reward() == 20.0
    item = {"quantity": 2, "subtotal": "20.00", "line_item": order()["line_items"][0]}
    back = {"id": 1, "order_id": 1234, "refund_line_items": [item], "transactions": []}
    body = json.dumps(back | {"created_at": now().isoformat()}).encode()
    assert send(hooked, body, shopify(body, "refunds/create"), "shopify").json()["accepted"] == 1
    assert reward() == 0.0
    sql = "SELECT visitor FROM events WHERE name = 'Order Refunded' AND order_id = '1234'"
    assert stored(folder, sql) == [("5",)]


def test_a_webhook_that_comes_again_after_days_and_a_restart_counts_once(tmp_path: Path) -> None:
    """Senders go on for days; ids are kept with the log."""
    body = payload("page viewed")
    made = configuration(webhook_sources=SOURCES)
    made["service"]["database"] = str(tmp_path / "s.db")
    told = []
    for days in (0, 3):
        app = create_app(parse_settings(made))
        engine = app.app.state.engine  # type: ignore[attr-defined]  # FastAPI's
        engine.clock = engine.intake._clock = engine.observer._clock = Later(days)
        headers = standard(body, "msg_late", at=now(days * 86_400))

        async def work(app: Any = app, engine: Any = engine, headers: Any = headers) -> None:
            await engine.start()
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://segue") as client:
                answer = (await client.post(PATH, content=body, headers=headers)).json()
                told.append((answer["accepted"], answer["duplicates"]))
            await engine.stop()

        asyncio.run(work())
    assert told == [(1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"secrets": ["whsec_short"]}, "secrets[0]"),
        ({"secrets": [NEW, "env:SEGUE_TEST_NO_SUCH"]}, "no variable 'SEGUE_TEST_NO_SUCH'"),
        ({"kind": "shopify", "secrets": ["tiny"]}, "at least 16"),
        ({"name": "With Space"}, "name is 'With Space'"),
        ({"kind": "stripe"}, "kind is 'stripe'"),
        ({"secrets": []}, "secrets"),
        ({"secret": NEW}, "did you mean 'secrets'?"),
    ],
)
def test_a_fault_of_a_source_is_named_without_its_secret(
    changes: dict[str, Any], fault: str
) -> None:
    source = {**SOURCES[0], **changes}
    with pytest.raises(SettingsError) as refused:
        parse_settings(configuration(webhook_sources=[source]))
    assert fault in str(refused.value)
    for secret in (*SECRETS, "whsec_short", "tiny"):
        assert secret not in str(refused.value)


def test_a_secret_is_read_from_the_environment_and_never_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_SECRET", NEW)
    source = {**SOURCES[0], "secrets": ["env:SHOP_SECRET"]}
    made = parse_settings(configuration(webhook_sources=[source]))
    assert made.webhook_sources[0].secrets[0].get_secret_value() == NEW
    assert NEW not in f"{made} {made!r} {made.webhook_sources[0].model_dump_json()}"


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="'shop' is there more than once"):
        parse_settings(configuration(webhook_sources=[SOURCES[0]] * 2))
