"""Signatures: as the real client makes and checks them, and nothing else passes."""

import base64
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api.webhooks import signature
from api.webhooks.signature import (
    SignatureError,
    check_shopify,
    check_standard,
    secret_bytes,
    standard,
)
from tests.api.webhooks.senders import NEW, OLD, now
from tests.api.webhooks.senders import shopify as shopify_headers
from tests.api.webhooks.senders import standard as standard_headers

KEYS = [secret_bytes(OLD), secret_bytes(NEW)]
BODY = '{"type":"order.completed","data":{"name":"Grüße 🦊"}}'.encode()


def signed(**changes: Any) -> tuple[str, str, str]:
    headers = {**standard_headers(BODY), **changes}
    return (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"])


def check(headers: tuple[str, str, str], body: bytes = BODY) -> str:
    return check_standard(KEYS, headers, body, now().timestamp(), 300)


@given(st.text(max_size=200), st.sampled_from([OLD, NEW]))
def test_what_the_real_client_signs_is_taken_and_the_other_way_round(text: str, key: str) -> None:
    body = text.encode("utf-8", "replace")
    headers = standard_headers(body, "msg_1", key)
    ours = standard(secret_bytes(key), "msg_1", int(headers["webhook-timestamp"]), body)
    assert ours == headers["webhook-signature"]
    Webhook(key).verify(body, {**headers, "webhook-signature": ours}, json_parse=False)
    assert check((headers["webhook-id"], headers["webhook-timestamp"], ours), body) == "msg_1"


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_altered_by_one_byte_is_refused(place: int, by: int) -> None:
    altered = bytearray(BODY)
    altered[place] ^= by
    with pytest.raises(SignatureError, match="none of the secrets"):
        check(signed(), bytes(altered))
    shopify = shopify_headers(BODY, "orders/create")["X-Shopify-Hmac-Sha256"]
    with pytest.raises(SignatureError):
        check_shopify([b"secret"], shopify, bytes(altered))


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_an_old_or_early_timestamp_is_refused(seconds: float) -> None:
    at = now(seconds)
    headers = standard_headers(BODY, at=at)
    with pytest.raises(SignatureError, match="within 300 seconds"):
        check((headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]))


def test_a_timestamp_or_an_id_that_was_not_signed_is_refused() -> None:
    later = str(int(now(10).timestamp()))
    for changes in ({"webhook-timestamp": later}, {"webhook-id": "msg_2"}):
        with pytest.raises(SignatureError, match="none of the secrets"):
            check(signed(**changes))


def test_one_signature_of_several_suffices() -> None:
    good = signed()[2]
    assert check(signed(**{"webhook-signature": f"v1a,abc v1,AAAA {good}"})) == "msg_1"
    other = good.replace("v1,", "v2,")
    with pytest.raises(SignatureError):
        check(signed(**{"webhook-signature": other}))


MALFORMED = [
    "",
    " ",
    ",",
    "v1",
    "v1,",
    "v1,é",
    "v1,\xff\xfe",
    "v1,!!!",
    "v1,AAA",
    "v1,,",
    "\0",
    "ÿ",
]


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_signature_is_a_refusal_and_no_failure(value: str) -> None:
    """On some of these the client's own check fails with other errors than its refusal."""
    with pytest.raises(SignatureError):
        check(signed(**{"webhook-signature": value}))
    with pytest.raises(SignatureError):
        check_shopify([b"secret"], value, BODY)


@given(st.text(), st.text(), st.text())
def test_any_headers_are_a_refusal(message_id: str, timestamp: str, value: str) -> None:
    with pytest.raises(SignatureError):
        check((message_id, timestamp, value))


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_é", "whsec_!!!", base64.b64encode(b"x" * 23).decode(), "A" * 99],
)
def test_what_is_no_secret_is_refused_without_being_said(secret: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        secret_bytes(secret)
    assert not secret or secret not in str(refused.value)


def test_every_pair_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, really = [], hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr(signature.hmac, "compare_digest", compare)
    headers = signed()
    check((*headers[:2], f"{headers[2]} v1,AAAA v1,BBBB"))
    assert len(compared) == 6  # two secrets, three signatures, whichever fits
