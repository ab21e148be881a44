"""Every error over HTTP: `application/problem+json` (RFC 9457), in one shape.

    {"type": "urn:segue:problem:invalid-request", "title": ..., "status": 422, "detail": ...,
     "errors": [{"field": ..., "value": ..., "rule": ...}]}

`errors` says what is wrong with which field; it is empty where no field is to blame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails, to_json

from api.loop.errors import ConflictError, LoopError, NotFoundError
from segments.event import EventError

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
MAX_SHOWN = 80


class FieldFault(BaseModel):
    """One field that breaks a rule."""

    field: str
    value: str
    rule: str


class ProblemBody(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:segue:problem:invalid-request"])
    title: str
    status: int
    detail: str
    errors: list[FieldFault]


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818  # the name of the standard
    """A refusal on its way to the client.

    Args:
        status: HTTP status code.
        slug: Last part of the problem's type.
        detail: What is wrong and what helps.
        errors: Fields at fault.
        headers: Further headers of the answer.
    """

    status: int
    slug: str
    detail: str
    errors: Sequence[FieldFault] = ()
    headers: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.slug}: {self.detail}"

    def members(self) -> dict[str, Any]:
        """What the problem says."""
        return {
            "type": f"urn:segue:problem:{self.slug}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "errors": [fault.model_dump() for fault in self.errors],
        }

    def body(self) -> bytes:
        """The problem as JSON."""
        return to_json(self.members())


def shown(value: object) -> str:
    """A value as an error shows it: text as it is, anything else as JSON, cut to 80 characters.

    Example:
        >>> shown("home"), shown(None), shown([True, float("nan")])
        ('home', 'null', '[true,NaN]')
    """
    if isinstance(value, str):
        text = value[: MAX_SHOWN + 1].encode("utf-8", "backslashreplace").decode()
    else:
        try:
            text = to_json(value, inf_nan_mode="constants", fallback=repr).decode()
        except ValueError:  # text that has no UTF-8
            text = f"<{type(value).__name__}>"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def of_loop(error: LoopError) -> Problem:
    """A refusal of the loop as a problem."""
    status, slug = 422, "invalid-request"
    if isinstance(error, NotFoundError):
        status, slug = 404, "not-found"
    if isinstance(error, ConflictError):
        status, slug = 409, "conflict"
    return _of_field(status, slug, error.field, error.value, error.rule)


def of_event(error: EventError) -> Problem:
    """A refused event as a problem."""
    return _of_field(422, "invalid-event", error.field, error.value, error.rule)


def _of_field(status: int, slug: str, field: str, value: object, rule: str) -> Problem:
    fault = FieldFault(field=shown(field), value=shown(value), rule=rule)
    return Problem(status, slug, f"{fault.field}: {rule}", [fault])


def of_validation(error: ValidationError) -> Problem:
    """What pydantic found, field by field."""
    found = error.errors(include_url=False, include_context=False)
    if found and found[0]["type"] == "json_invalid":
        return Problem(400, "malformed-json", f"the body is not JSON: {found[0]['msg']}")
    faults = [_fault(item) for item in found[:MAX_ERRORS]]
    more = f" (and {len(found) - MAX_ERRORS} more)" if len(found) > MAX_ERRORS else ""
    detail = f"{faults[0].field}: {faults[0].rule}{more}"
    return Problem(422, "invalid-request", detail, faults)


def _fault(item: ErrorDetails) -> FieldFault:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]]
    field = shown("".join(parts).lstrip(".") or "body")
    if item["type"] == "missing":  # pydantic's input is then all that was sent
        return FieldFault(field=field, value="", rule="is needed")
    rule = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        rule = "there is no such field; see /openapi.json"
    return FieldFault(field=field, value=shown(item.get("input")), rule=rule)
