"""What all sections of the configuration have in common."""

import difflib
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Section(BaseModel):
    """Base of every section: unknown settings are refused by name, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nearest(value: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known name, or nothing."""
    close = difflib.get_close_matches(value, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
