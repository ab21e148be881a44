"""Wire format of what endpoints were told."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.decision import Id, Wire


class DeliveryInfo(Wire):
    """One message on its way to one endpoint."""

    message_id: str = Field(description="Value of `webhook-id`.")
    endpoint: str
    type: str
    status: Literal["waiting", "delivered", "dead"]
    tries: int
    created_at: datetime
    due_at: datetime = Field(description="When it is, or was, to be sent.")
    error: str | None = Field(description="Why the latest try was not taken.")


class DeliveriesResponse(Wire):
    """The latest, the newest first."""

    deliveries: list[DeliveryInfo]


class RedeliverRequest(Wire):
    """What to send again; all that is dead, unless it says less."""

    endpoint: Id | None = Field(None, description="To this endpoint only.")
    message_id: Id | None = Field(None, description="This message, whatever became of it.")


class RedeliverResponse(Wire):
    """What is waiting again."""

    redelivered: int
