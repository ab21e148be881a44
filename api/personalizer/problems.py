"""Refusals in the form that Personalizer's clients take apart.

The problem of every other route (RFC 9457), with one member more: `error`.
"""

from pydantic import BaseModel
from pydantic_core import to_json

from api.problems import Problem, ProblemBody

_CODES = {401: "Unauthorized", 403: "Forbidden", 404: "ResourceNotFound"}


class PersonalizerError(BaseModel):
    """What Personalizer's clients know as the error."""

    code: str
    message: str
    target: str | None


class PersonalizerProblemBody(ProblemBody):
    """A problem with Personalizer's `error` in it."""

    error: PersonalizerError


def personalizer_body(problem: Problem) -> bytes:
    """The problem as JSON."""
    otherwise = "InternalServerError" if problem.status >= 500 else "BadRequest"
    error = PersonalizerError(
        code=_CODES.get(problem.status, otherwise),
        message=problem.detail,
        target=problem.errors[0].field if problem.errors else None,
    )
    return to_json(problem.members() | {"error": error})
