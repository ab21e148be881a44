"""Bodies that are no requests at all, hostile ones, and strange but legal text."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.routes import personalizer
from api.routes.hot import BODIES
from tests.api.service import problem_of

PATHS = [
    path.format(decision_id="0" * 32, event_id="e")
    for path, (body, _, _) in {**BODIES, **personalizer.BODIES}.items()
    if body is not None and "{source}" not in path  # those are signed: tests/api/webhooks
]
LIMIT_BYTES = 2048 * 1024
STRANGE = [
    "\u202egnp.exe\u202c",
    "🦊𝄞",
    "e\u0301",
    "\ufeff",
    "'; DROP TABLE events; --",
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    '{"$ne": null}',
    "../../etc/passwd",
    "line\nbreak",
]

MALFORMED = {
    "empty": b"",
    "spaces": b"  ",
    "cut off": b'{"visitor": "v"',
    "form": b"visitor=v&placement=home",
    "not UTF-8": b'{"visitor": "\xff\xfe", "userId": "\xff"}',
    "UTF-16": '{"visitor": "v"}'.encode("utf-16"),
    "compressed": b"\x1f\x8b\x08\x00",
    "lone surrogate, escaped": b'{"visitor": "\\ud800", "userId": "\\ud800"}',
    "lone surrogate, encoded": b'{"visitor": "\xed\xa0\x80", "userId": "\xed\xa0\x80"}',
    "lists 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"context":' * 10_000 + b"1" + b"}" * 10_000,
    "number of 5,000 digits": b'{"value": ' + b"9" * 5_000 + b"}",
    "two values": b"{} {}",
}


def written(chunks: int) -> Iterator[bytes]:
    """Sent in chunks, without a content-length."""
    for _ in range(chunks):
        yield b" " * 256 * 1024


@pytest.mark.parametrize(
    ("path", "kind"),
    # An activation needs no body: its path says it all.
    [(p, k) for p in PATHS for k in MALFORMED if (p[-8:], k) != ("activate", "empty")],
)
def test_what_is_not_json_is_a_problem(service: httpx.Client, path: str, kind: str) -> None:
    problem = problem_of(service.post(path, content=MALFORMED[kind]), 400)
    assert problem["type"] == "urn:segue:problem:malformed-json"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"[]", b"3", b'"text"', b"null", b"true"])
def test_json_that_is_no_object_is_a_problem(service: httpx.Client, path: str, body: bytes) -> None:
    assert problem_of(service.post(path, content=body), 422)["errors"]


@pytest.mark.parametrize("path", [PATHS[0], "/v1/batch"])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(
    service: httpx.Client, path: str
) -> None:
    for content in (b" " * (LIMIT_BYTES + 1), written(chunks=20)):
        problem = problem_of(service.post(path, content=content), 413)
        assert "2048 kB" in problem["detail"]
    problem_of(service.post(path, content=b" " * LIMIT_BYTES), 400)


def test_a_million_keys_are_over_the_limit_and_tens_of_thousands_are_named(
    service: httpx.Client,
) -> None:
    problem_of(service.post(PATHS[0], content=_keys(1_000_000)), 413)
    problem = problem_of(service.post(PATHS[0], content=_keys(50_000)), 422)
    assert len(problem["errors"]) == 20
    assert "more" in problem["detail"]
    context = b'{"visitor": "v", "placement": "home", "context": ' + _keys(50_000) + b"}"
    problem_of(service.post(PATHS[0], content=context), 422, "context")


def _keys(n: int) -> bytes:
    return b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(n)) + b"}"


@pytest.mark.parametrize("text", STRANGE)
def test_strange_text_is_taken_and_given_back_unchanged(service: httpx.Client, text: str) -> None:
    payload = {"text": text, "nul": "\0", "nested": [{text: None}], "big": 2**70, "tiny": 5e-324}
    request = {
        "visitor": text,
        "placement": "home",
        "actions": [{"id": "c", "payload": payload}],
    }
    answer = service.post("/v1/decisions", json=request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["action"]["payload"] == payload
    product = {"product_id": text, "category": text, "brand": text}
    message = {"event": "Product Viewed", "userId": f"u{text}", "properties": product}
    assert service.post("/v1/track", json=message).json()["accepted"] == 1
    path = "/v1/visitors/" + "".join(f"%{byte:02X}" for byte in f"u{text}".encode())
    known = service.get(path)
    if "/" not in text:
        assert known.json()["visitor"] == f"u{text}"
        assert text in known.json()["categories"]
    assert service.get("/v1/policies").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/nope/\u202e<b>" + "x" * 1000, 404),
        ("POST", "/v1/decisions//reward", 404),
        ("GET", "/v1/decisions", 405),
        ("DELETE", "/v1/rewards", 405),
        ("POST", "/healthz", 405),
        ("GET", "/v1/visitors/nobody", 404),
        ("GET", "/v1/visitors/" + "x" * 300, 422),
        ("GET", "/v1/visitors/%FF%00", 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_route_refuses_in_the_same_shape(
    service: httpx.Client, method: str, path: str, status: int
) -> None:
    problem_of(service.request(method, path), status)


FIELDS = """
visitor placement context actions excluded timestamp value reward_id decision_id batch event userId
anonymousId messageId type properties products price quantity sentAt previousId device basket id
features payload kind category consent categoryPreferences
"""
NAMES = st.sampled_from(FIELDS.split())
TEXTS = st.sampled_from(["home", "v", "tea", "track", "Order Completed", "mobile"]) | st.text()
EDGES = st.sampled_from([10**400, 2**63, -(2**64), 1e308, 5e-324, "\0", "\ud800", "x" * 300])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | EDGES
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
VALID: dict[str, Any] = {
    "visitor": "v", "placement": "home", "value": 1, "decision_id": "0" * 32,
    "event": "Order Completed", "userId": "v", "batch": [], "type": "track",
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60, deadline=None)
@given(changes=st.dictionaries(NAMES, JSON, max_size=4), other=JSON, dropped=st.sets(NAMES))
def test_no_json_makes_the_service_fail(
    service: httpx.Client, path: str, changes: dict[str, Any], other: Any, dropped: set[str]
) -> None:
    base = {key: value for key, value in VALID.items() if key not in dropped}
    for body in ({**base, **changes}, other):
        text = json.dumps(body, ensure_ascii=True)
        answer = service.post(path, content=text.encode())
        if answer.status_code not in (200, 204):
            assert answer.status_code < 500, text
            problem_of(answer, answer.status_code)
