"""Tracking over HTTP: what Segment's libraries send, kept or refused one by one."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.auth import key_hash
from tests.api.service import configuration, problem_of, running_service, stored

WRITE_KEY = "segue_write"
CALLS = {
    "track": {"event": "Product Viewed", "properties": {"product_id": "p1"}},
    "identify": {"traits": {"email": "ann@example.com"}},
    "page": {"name": "Home", "properties": {"url": "https://shop.example"}},
    "screen": {"name": "Home"},
    "group": {"groupId": "g1", "traits": {"name": "Initech"}},
    "alias": {"previousId": "before"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ingest")


@pytest.fixture(scope="module")
def tracker(folder: Path) -> Iterator[httpx.Client]:
    """A client as Segment's are: Basic auth with the write key as user, no password."""
    scopes = ["ingest", "decide", "read"]
    keys = [{"name": "site", "sha256": key_hash(WRITE_KEY), "scopes": scopes}]
    with running_service(folder, configuration(keys=keys)) as client:
        basic = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
        client.headers["authorization"] = f"Basic {basic}"
        yield client


def report(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def message(kind: str = "page", **more: Any) -> dict[str, Any]:
    return {"type": kind, "messageId": uuid4().hex, "userId": "ann", **CALLS[kind], **more}


def letters(folder: Path, marker: str) -> list[tuple[Any, ...]]:
    sql = "SELECT field, value, rule, body FROM dead_letters WHERE instr(body, ?) ORDER BY seq"
    return stored(folder, sql, marker)


@pytest.mark.parametrize("kind", CALLS)
def test_each_of_segments_calls_is_taken(tracker: httpx.Client, folder: Path, kind: str) -> None:
    sent = message(kind, userId=f"user of {kind}", anonymousId=f"device of {kind}", context={})
    answer = report(tracker.post(f"/v1/{kind}", json=sent))
    assert answer == {
        "success": True, "accepted": 1, "duplicates": 0, "rewards": 0, "rejected": [],
    }  # fmt: skip
    sql = "SELECT visitor FROM events WHERE message_id = ?"
    assert stored(folder, sql, sent["messageId"]) == [(f"user of {kind}",)]


def test_a_batch_keeps_the_good_and_reports_each_bad_one(
    tracker: httpx.Client, folder: Path
) -> None:
    marker = uuid4().hex
    bad = [
        message("track", event="Product View", messageId=marker),
        message("track", properties={"price": -1, "sku": marker}),
        {"type": "page", "name": marker},
    ]
    batch = [message(), bad[0], message("identify"), bad[1], 7, bad[2], message("track")]
    answer = report(tracker.post("/v1/batch", json={"batch": batch}))
    assert (answer["accepted"], answer["duplicates"]) == (3, 0)
    found = [(fault["index"], fault["field"], fault["value"]) for fault in answer["rejected"]]
    assert found == [
        (1, "event", "'Product View'"),
        (3, "properties.price", "-1"),
        (4, "message", "7"),
        (5, "userId", "None"),
    ]
    kept = letters(folder, marker)
    assert [json.loads(body) for *_, body in kept] == bad
    told = [fault for fault in answer["rejected"] if fault["index"] != 4]
    assert [row[:3] for row in kept] == [(f["field"], f["value"], f["rule"]) for f in told]
    ids = [item["messageId"] for item in batch if isinstance(item, dict) and "messageId" in item]
    sql = f"SELECT message_id FROM events WHERE message_id IN ({', '.join('?' * len(ids))})"
    assert len(stored(folder, sql, *ids)) == 3


def test_a_refused_single_message_is_kept_too(tracker: httpx.Client, folder: Path) -> None:
    marker = uuid4().hex
    refused = tracker.post("/v1/page", json={"name": marker})
    problem = problem_of(refused, 422, "userId")
    ((field, _, rule, body),) = letters(folder, marker)
    assert (field, rule) == ("userId", problem["errors"][0]["rule"])
    assert json.loads(body) == {"name": marker}


def test_a_message_counts_once_within_a_batch_and_across_requests(
    tracker: httpx.Client, folder: Path
) -> None:
    one, user = message("track"), f"once {uuid4().hex}"
    one["userId"] = user
    first = report(tracker.post("/v1/batch", json={"batch": [one, one, message()]}))
    assert (first["accepted"], first["duplicates"]) == (2, 1)
    for path, body in (("/v1/track", one), ("/v1/batch", {"batch": [one]})):
        again = report(tracker.post(path, json=body))
        assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert tracker.get(f"/v1/visitors/{user}").json()["events"] == 1
    sql = "SELECT count(*) FROM events WHERE message_id = ?"
    assert stored(folder, sql, one["messageId"]) == [(1,)]


def test_a_message_is_at_most_32_kb_alone_or_in_a_batch(
    tracker: httpx.Client, folder: Path
) -> None:
    fits, large = ({"title": "x" * n} for n in (31_000, 33_000))
    assert report(tracker.post("/v1/page", json=message(properties=fits)))["accepted"] == 1
    refused = tracker.post("/v1/page", json=message(properties=large, name=(m := uuid4().hex)))
    problem_of(refused, 422, "message")
    batch = [message(), message(properties=large, name=m), *(message() for _ in range(50))]
    answer = report(tracker.post("/v1/batch", json={"batch": batch}))
    assert answer["accepted"] == 51
    ((index, rule),) = [(fault["index"], fault["rule"]) for fault in answer["rejected"]]
    assert (index, rule) == (1, "must be at most 32768 bytes")
    assert all(len(body) <= 32 * 1024 for *_, body in letters(folder, m))


@pytest.mark.parametrize(
    "body", [{}, {"batch": None}, {"batch": {}}, {"batch": [1] * 5001}, {"batch": [], "sentAt": 3}]
)
def test_a_batch_that_is_none_is_refused_as_a_whole(
    tracker: httpx.Client, body: dict[str, Any]
) -> None:
    field = "sentAt" if "sentAt" in body else "batch"
    problem_of(tracker.post("/v1/batch", json=body), 422, field)


def test_an_empty_batch_is_no_fault(tracker: httpx.Client) -> None:
    sent = {"batch": [], "writeKey": WRITE_KEY, "sentAt": "2026-11-23T08:00:00Z"}
    assert report(tracker.post("/v1/batch", json=sent))["accepted"] == 0


def test_a_clock_a_year_off_is_corrected_when_the_sender_says_its_time(
    tracker: httpx.Client,
) -> None:
    wrong = datetime.now(UTC) - timedelta(days=365)
    late = message(timestamp=(wrong - timedelta(hours=2)).isoformat(), userId="skewed")
    answer = report(tracker.post("/v1/batch", json={"batch": [late], "sentAt": wrong.isoformat()}))
    assert answer["accepted"] == 1, answer
    seen = datetime.fromisoformat(tracker.get("/v1/visitors/skewed").json()["last_seen"])
    assert abs(datetime.now(UTC) - seen - timedelta(hours=2)) < timedelta(minutes=30)
    alone = report(tracker.post("/v1/batch", json={"batch": [late]}))
    assert alone["rejected"][0]["field"] == "timestamp"


def test_identify_makes_one_visitor_of_two_and_credits_what_was_decided_before(
    tracker: httpx.Client, folder: Path
) -> None:
    user, device = f"user-{uuid4().hex}", f"device-{uuid4().hex}"
    viewed = message("track", userId=None, anonymousId=device)
    tracker.post("/v1/track", json=viewed)
    ask = {"visitor": device, "placement": "home", "excluded": ["salt", "beef"]}
    decision_id = report(tracker.post("/v1/decisions", json=ask))["decision_id"]
    tracker.post("/v1/identify", json=message("identify", userId=user, anonymousId=device))
    products = [{"product_id": "p", "category": "Tea", "price": 4}]
    bought = message(
        "track", event="Order Completed", userId=user, properties={"products": products}
    )
    assert report(tracker.post("/v1/track", json=bought))["rewards"] == 1
    sql = "SELECT value, source FROM rewards WHERE decision_id = ?"
    assert stored(folder, sql, decision_id) == [(1.0, "event")]
    one, same = (tracker.get(f"/v1/visitors/{name}").json() for name in (user, device))
    assert one["visitor"] == same["visitor"] == user
    assert (one["events"], one["orders"], one["revenue_cents"]) == (3, 1, 400)
    assert report(tracker.post("/v1/track", json=bought))["rewards"] == 0


def test_what_was_taken_is_there_after_a_restart(tmp_path: Path) -> None:
    sent = [message("track", userId="stays") for _ in range(20)]
    with running_service(tmp_path, configuration()) as client:
        for half in (sent[:10], sent[10:]):
            assert report(client.post("/v1/batch", json={"batch": half}))["accepted"] == 10
    with running_service(tmp_path, configuration()) as client:
        assert client.get("/v1/visitors/stays").json()["events"] == 20
        again = report(client.post("/v1/batch", json={"batch": sent}))
        assert again["duplicates"] == 20
