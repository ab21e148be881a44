"""Signatures of webhooks: made, and checked in constant time.

Two schemes. *Standard Webhooks*: HMAC-SHA256 of ``id.timestamp.body``, so that neither can be
exchanged. *Shopify*: HMAC-SHA256 of the body alone: what its headers say is not signed.

References:
    Standard Webhooks, specification 1.0.0, "Verifying webhook authenticity".
    Shopify, "Deliver webhooks through HTTPS: Verify a webhook".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

PREFIX, VERSION = "whsec_", "v1"
FEWEST_BYTES, MOST_BYTES = 24, 64
MOST_SIGNATURES = 16


class SignatureError(ValueError):
    """Not signed by whom it should be; the message says what is wrong, never what is expected."""


def secret_bytes(secret: str) -> bytes:
    """The key that a secret of Standard Webhooks stands for.

    Args:
        secret: Base64 of 24 to 64 bytes, mostly behind `whsec_`.

    Raises:
        ValueError: It is not one; the message does not say it.

    Example:
        >>> len(secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        24
    """
    text = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError(f"must be base64 behind {PREFIX!r}") from None
    if not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        rule = f"must stand for {FEWEST_BYTES} to {MOST_BYTES} bytes, and is {len(key)}"
        raise ValueError(rule)
    return key


def standard(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature` for one key.

    Args:
        key: From `secret_bytes`.
        message_id: Value of `webhook-id`, without a full stop.
        timestamp_s: Of the attempt, in seconds since 1970.
        body: As it is sent.

    Example:
        >>> standard(b"key", "msg_1", 0, b"{}")
        'v1,Xhe5yihSbJGZuL0n8Bm8kcyxw3iMjpHXwdiiqbHBsY0='
    """
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return f"{VERSION},{_mac(key, signed)}"


def check_standard(
    keys: Sequence[bytes],
    headers: tuple[str, str, str],
    body: bytes,
    now_s: float | None,
    tolerance_s: float,
) -> str:
    """The id of a message that one of the keys signed.

    Args:
        keys: All that are valid now.
        headers: Values of `webhook-id`, `webhook-timestamp` and `webhook-signature`.
        body: As it came.
        now_s: Seconds since 1970; None where time is replayed, and any is right.
        tolerance_s: How far from now the timestamp may lie.

    Raises:
        SignatureError: A header is missing or malformed, it is too old or too new, or nobody whom
            we know signed it.
    """
    message_id, timestamp, signatures = headers
    if not re.fullmatch(r"[\x21-\x2d\x2f-\x7e]{1,128}", message_id):
        raise SignatureError("webhook-id must be 1 to 128 ASCII characters without a full stop")
    if not re.fullmatch("[0-9]{1,12}", timestamp):
        raise SignatureError("webhook-timestamp must be in seconds since 1970")
    if now_s is not None and abs(now_s - int(timestamp)) > tolerance_s:
        raise SignatureError(f"webhook-timestamp must be within {tolerance_s:g} seconds of now")
    expected = [standard(key, message_id, int(timestamp), body) for key in keys]
    if not _any_equal(expected, signatures.split(" ")[:MOST_SIGNATURES]):
        raise SignatureError("webhook-signature fits none of the secrets")
    return message_id


def check_shopify(keys: Sequence[bytes], signature: str, body: bytes) -> None:
    """Let a body pass that one of the keys signed.

    Args:
        keys: All that are valid now.
        signature: Value of `X-Shopify-Hmac-Sha256`.
        body: As it came.

    Raises:
        SignatureError: Nobody whom we know signed it.
    """
    if not _any_equal([_mac(key, body) for key in keys], [signature]):
        raise SignatureError("x-shopify-hmac-sha256 fits none of the secrets")


def _mac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _any_equal(expected: Iterable[str], given: Sequence[str]) -> bool:
    """Whether any pair is equal; all are compared: the time must not tell which."""
    found = False
    presented = [text.encode("utf-8", "surrogatepass") for text in given]
    for one in expected:
        for other in presented:
            found |= hmac.compare_digest(one.encode(), other)
    return found
