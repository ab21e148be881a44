"""What a check came to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]
STATUSES: tuple[Status, ...] = ("ok", "warn", "fail")
"""From harmless to bad."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Args:
        check: What was looked at, such as `store.integrity`.
        status: `fail`: it will not work, or not be kept. `warn`: it will until something happens.
        message: What was found.
        remedy: What helps; empty where nothing has to be done.
    """

    check: str
    status: Status
    message: str
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Status:
    """The worst status among findings; `ok` for none.

    Example:
        >>> worst([Finding("a", "ok", ""), Finding("b", "warn", "", "do it")])
        'warn'
    """
    return max((one.status for one in findings), key=STATUSES.index, default="ok")
