"""Wire format of tracking messages: Segment's, so open that only the envelope is described."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH = 5000


class TrackingMessage(BaseModel):
    """One message of Segment's HTTP API; `docs/events.md` lists what is read of it."""

    model_config = ConfigDict(extra="allow")

    type: Literal["track", "identify", "page", "screen", "group", "alias"] | None = None
    event: str | None = Field(None, description="Name of the event, for `track`.")
    userId: str | None = None  # noqa: N815  # Segment's spelling
    anonymousId: str | None = None  # noqa: N815  # Segment's spelling
    messageId: str | None = Field(None, description="Counts once.")  # noqa: N815  # Segment's
    timestamp: str | None = None
    sentAt: str | None = None  # noqa: N815  # Segment's spelling
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class TrackingBatch(BaseModel):
    """Several messages at once."""

    model_config = ConfigDict(extra="allow")

    batch: list[Any] = Field(max_length=MAX_BATCH)
    sentAt: str | None = None  # noqa: N815  # Segment's spelling


class WebhookPayload(BaseModel):
    """What a sender of webhooks tells; `docs/webhooks.md` says which events are read of it."""

    model_config = ConfigDict(extra="allow")

    type: str | None = None
    timestamp: str | None = None
    data: dict[str, Any] | None = None


class Measurement(BaseModel):
    """A request of GA4's Measurement Protocol; `docs/events.md` lists what is read of it."""

    model_config = ConfigDict(extra="allow")

    client_id: str | None = None
    user_id: str | None = None
    timestamp_micros: int | str | None = None
    events: list[dict[str, Any]] | None = Field(None, max_length=25)


class ValidationMessage(BaseModel):
    """What GA4's validation says of one field."""

    fieldPath: str  # noqa: N815  # Google's spelling
    description: str
    validationCode: str  # noqa: N815  # Google's spelling


class ValidationResponse(BaseModel):
    """What is wrong; nothing where all is well."""

    validationMessages: list[ValidationMessage]  # noqa: N815  # Google's spelling


class RejectedMessage(BaseModel):
    """A message of a batch that could not be an event."""

    index: int
    field: str
    value: str
    rule: str


class IngestResponse(BaseModel):
    """What became of the messages."""

    success: bool
    accepted: int
    duplicates: int = Field(description="Seen before by messageId; nothing changed.")
    rewards: int = Field(description="Open decisions that were rewarded.")
    rejected: list[RejectedMessage] = Field(description="Kept as dead letters, with the reason.")
