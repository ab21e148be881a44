"""GA4's measurements taken in, or only looked at.

Between the routes and `Intake`. As Google does, a request that can be read is answered as received,
whatever its events are: those that cannot be one here are dead letters, and `validate` says why.
"""

from typing import Any

from api.ingest.ga4 import MAX_EVENTS, envelope_of, events_of, parse_ga4
from api.loop.clock import Clock
from api.loop.intake import Intake
from segments.event import Event, EventError

API_SECRET = "api_secret"  # noqa: S105  # the name of a parameter


class Measurements:
    """Requests of the Measurement Protocol.

    Args:
        intake: Takes their events in.
        clock: When they came in.
    """

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock

    async def collect(self, payload: object) -> None:
        """Take a request in.

        Args:
            payload: As parsed from JSON.

        Raises:
            EventError: Whose it is, or where its events are, is not said; nothing of it is kept.
        """
        events, envelope, now = events_of(payload), envelope_of(payload), self._clock.now()

        def parse(_: object, place: int) -> Event:
            index, event = events[place]
            return parse_ga4(event, index, envelope, now)

        # With whose they are: an erasure has to find those that become dead letters.
        whose = {"client_id": envelope.client_id, "user_id": envelope.user_id}
        if events:
            await self._intake.take([{**whose, "event": event} for _, event in events], parse)

    def validate(self, payload: object) -> list[dict[str, Any]]:
        """What is wrong with a request, as GA4's validation server says it; nothing is kept.

        Raises:
            EventError: It is no JSON object.
        """
        try:
            events, envelope = events_of(payload), envelope_of(payload)
        except EventError as error:
            if error.field == "body":
                raise
            return [_told(error)]
        messages = []
        for index, event in events:
            try:
                self._intake.check(parse_ga4(event, index, envelope, self._clock.now()))
            except EventError as error:
                messages.append(_told(error))
        return messages


def _told(error: EventError) -> dict[str, Any]:
    code = "VALUE_INVALID"
    if error.value in ("", "None", "null"):
        code = "VALUE_REQUIRED"
    elif error.field.endswith(".name"):
        code = "NAME_INVALID"
    elif error.field == "events" and f"at most {MAX_EVENTS}" in error.rule:
        code = "EXCEEDED_MAX_ENTITIES"
    return {"fieldPath": error.field, "description": error.rule, "validationCode": code}
