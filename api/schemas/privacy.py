"""Wire formats of what a person is told, and of the receipt that they were erased."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.schemas.readings import VisitorResponse


class ExportResponse(BaseModel):
    """Everything that is held of one person."""

    visitor: str = Field(description="The id in use.")
    ids: list[str] = Field(description="Every id that was ever theirs, the one in use first.")
    profile: VisitorResponse | None = Field(
        description="As `GET /v1/visitors/{visitor}` answers it."
    )
    consent: dict[str, bool] = Field(
        description="The latest word on each purpose that an event of theirs named."
    )
    events: list[dict[str, Any]] = Field(description="Every event in the log.")
    decisions: list[dict[str, Any]] = Field(description="What was decided for them, and why.")
    rewards: list[dict[str, Any]] = Field(description="What those decisions earned.")
    transitions: list[dict[str, Any]] = Field(description="How they changed segment, and why.")
    dead_letters: list[dict[str, Any]] = Field(description="Refused messages that name them.")


class ReceiptResponse(BaseModel):
    """That a person was erased; it names nobody."""

    receipt_id: str
    erased_at: datetime
    repeated: bool = Field(
        description="Whether nothing was there any more: the receipt is then the earlier one's."
    )
    rows: dict[str, int] = Field(description="Rows erased, by table.")
    models: dict[str, str] = Field(
        description=(
            "By placement that had learned from them: `removed` where their rows were taken out of "
            "its statistics, `relearned` where it was learned again from the rest of the log, "
            "`dropped` for one that is configured no more."
        )
    )
