"""Payloads of Standard Webhooks into tracking messages.

`{"type": "order.completed", "timestamp": ..., "data": {...}}` becomes a `track` message: the type
is one of our events in any writing, the data its properties and whose it is. A payload that is a
message of Segment's already, or a batch of them, is taken as it is.

References:
    Standard Webhooks, specification 1.0.0, "Payload structure".
"""

import re
from collections.abc import Mapping
from typing import Any

from api.ingest.segment import TYPES
from segments.event import EVENT_NAMES, EventError

_NAMES = {name.lower(): name for name in EVENT_NAMES}
_IDS = {"userId": ("userId", "user_id"), "anonymousId": ("anonymousId", "anonymous_id")}
_BETWEEN = re.compile(r"[\s._/-]+")


def messages_of(payload: object) -> list[object]:
    """The tracking messages of a payload.

    Args:
        payload: As parsed from JSON.

    Raises:
        EventError: Where it is none.

    Example:
        >>> payload = {"type": "order.completed", "data": {"user_id": "ann", "total": 9.5}}
        >>> (message,) = messages_of(payload)
        >>> message["event"], message["userId"], message["properties"]["total"]
        ('Order Completed', 'ann', 9.5)
    """
    if not isinstance(payload, dict):
        raise EventError("payload", payload, "must be a JSON object")
    batch = payload.get("batch")
    if isinstance(batch, list):
        return batch
    if payload.get("type") in TYPES:
        return [payload]
    return [_track(payload)]


def _track(payload: Mapping[str, Any]) -> dict[str, Any]:
    data = payload.get("data", {})
    if not isinstance(data, dict):
        raise EventError("data", data, "must be a JSON object")
    kind = payload.get("type")
    name = _NAMES.get(_BETWEEN.sub(" ", kind.strip()).lower()) if isinstance(kind, str) else None
    if name is None:
        rule = "must be one of the events of docs/events.md, such as 'order.completed'"
        raise EventError("type", kind, rule)
    message: dict[str, Any] = {
        "type": "track",
        "event": name,
        "timestamp": payload.get("timestamp"),
        "properties": data.get("properties", data),
        "context": data.get("context"),
    }
    for field, spellings in _IDS.items():
        message[field] = next((data[one] for one in spellings if data.get(one) is not None), None)
    return message
