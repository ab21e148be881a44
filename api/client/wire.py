"""Requests to bytes, answers to values; the same for both clients.

Between `Segue` and `AsyncSegue` on one side and HTTP on the other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from api.client.errors import RefusedError, SegueError, UnreachableError
from api.client.model import JSON, Decision, Reward

DECISIONS = "/v1/decisions"
REWARDS = "/v1/rewards/batch"
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    retry_after: str | None = None


def headers_of(key: str | None) -> dict[str, str]:
    """Headers of every request."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    return headers if key is None else headers | {"authorization": f"Bearer {key}"}


def decision_body(
    visitor: str,
    placement: str,
    context: JSON | None,
    actions: Sequence[JSON] | None,
    excluded: Sequence[str],
    slots: Sequence[JSON] | None = None,
) -> bytes:
    """The body of `POST /v1/decisions`; what is not given is left out."""
    body: dict[str, Any] = {"visitor": visitor, "placement": placement}
    optional = {"context": context, "actions": actions, "excluded": excluded, "slots": slots}
    return _json(body | {name: value for name, value in optional.items() if value})


def rewards_body(rewards: Sequence[Reward]) -> bytes:
    """The body of `POST /v1/rewards/batch`."""
    return _json({"rewards": [asdict(reward) for reward in rewards]})


def parsed(answer: Answer) -> Any:
    """The body of a good answer.

    Raises:
        UnreachableError: The service cannot answer now.
        RefusedError: It refuses.
    """
    try:
        body = json.loads(answer.body or b"null")
    except ValueError:
        raise UnreachableError(f"the answer ({answer.status}) is not JSON") from None
    if 200 <= answer.status < 300:
        return body
    detail = str(body.get("detail")) if isinstance(body, dict) else "no reason given"
    if answer.status in TRY_AGAIN:
        raise UnreachableError(f"{answer.status}: {detail}", _seconds(answer.retry_after))
    raise RefusedError(answer.status, detail)


def decision_of(body: Mapping[str, Any]) -> Decision:
    """A decision as the service answered it.

    Raises:
        UnreachableError: It is none.
    """
    try:
        return Decision(
            body["action"]["id"],
            body["action"]["payload"],
            body["decision_id"],
            body["probability"],
            body["segment"],
            body["group"],
            body["policy_version"],
            body["reason"],
        )
    except (KeyError, TypeError):
        raise UnreachableError("the answer is not a decision's") from None


def list_of(body: Mapping[str, Any]) -> dict[str, Decision | None]:
    """What each slot shows.

    Raises:
        UnreachableError: It is no list.
    """
    try:
        slots = {slot["slot"]: slot["decision"] for slot in body["slots"]}
    except (KeyError, TypeError):
        raise UnreachableError("the answer is not a list's") from None
    return {name: None if one is None else decision_of(one) for name, one in slots.items()}


def refusals(rewards: Sequence[Reward], body: Any) -> list[tuple[Reward, SegueError]]:
    """The rewards that the service will never count, and why.

    Raises:
        UnreachableError: The answer is not about these rewards.
    """
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or len(results) != len(rewards):
        raise UnreachableError("the answer is not a batch's")
    return [
        (reward, RefusedError(422, f"{result.get('field')}: {result.get('rule')}"))
        for reward, result in zip(rewards, results, strict=True)
        if result.get("status") == "refused"
    ]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
