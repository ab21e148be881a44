"""Webhooks in: checked by their signature, then taken in as events, once each.

Between `api.hot`, which reads the body to its bound, and `api.loop.intake`. What is signed but
cannot be an event is kept as a dead letter and answered as received: its sender would only send it
again, or give up on us.
"""

from collections.abc import Callable, Mapping, Sequence

from api.ingest.shopify import order_of, parse_shopify, summary_of
from api.ingest.standard import messages_of
from api.loop.engine import Engine
from api.loop.errors import NotFoundError
from api.loop.intake import Parse
from api.problems import Problem
from api.storage.base import Appended
from api.webhooks.settings import WebhookSourceSettings
from api.webhooks.signature import (
    SignatureError,
    check_shopify,
    check_standard,
    secret_bytes,
)
from segments.event import Event, EventError

STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
SHOPIFY = ("x-shopify-hmac-sha256", "x-shopify-topic")
HEADERS = (*STANDARD, *SHOPIFY)

Taken = tuple[Appended, Sequence[Mapping[str, object]]]


class Source:
    """One sender of webhooks.

    Args:
        settings: Its section.
        engine: Takes the events in.
        parse: From a body to JSON.
    """

    def __init__(
        self, settings: WebhookSourceSettings, engine: Engine, parse: Callable[[bytes], object]
    ) -> None:
        secrets = [secret.get_secret_value() for secret in settings.secrets]
        self._shopify = settings.kind == "shopify"
        self._keys = [one.encode() if self._shopify else secret_bytes(one) for one in secrets]
        self._name = settings.name
        self._tolerance_s = settings.tolerance_seconds
        self._engine = engine
        self._parse = parse

    async def receive(self, body: bytes, headers: Mapping[str, str]) -> Taken:
        """Take one webhook in.

        Args:
            body: As it came.
            headers: Those of `HEADERS` that it came with.

        Returns:
            As `Intake.batch`.

        Raises:
            Problem: 401 for a signature that does not fit, 400 for what is not JSON.
        """
        given = [headers.get(name, "") for name in HEADERS]
        try:
            if self._shopify:
                check_shopify(self._keys, given[3], body)
                return await self._from_shopify(given[4], self._parse(body))
            clock = self._engine.clock
            now_s = None if clock.trusts_requests else clock.wall_us() / 1e6
            signed = (given[0], given[1], given[2])
            message_id = check_standard(self._keys, signed, body, now_s, self._tolerance_s)
        except SignatureError as error:
            raise Problem(401, "bad-signature", f"{self._name}: {error}") from None
        return await self._from_standard(message_id, self._parse(body), len(body))

    async def _from_standard(self, message_id: str, payload: object, body_bytes: int) -> Taken:
        intake = self._engine.intake
        parse = intake.parser(body_bytes, made_id=f"webhook:{self._name}:{message_id}")
        try:
            messages = messages_of(payload)
        except EventError as error:
            messages, parse = [payload], _refusing(error)
        return await intake.take(messages, parse)

    async def _from_shopify(self, topic: str, payload: object) -> Taken:
        order_id, buyer = order_of(topic, payload), None
        if order_id is not None:
            buyer = await self._engine.store.buyer_of(order_id)
        now = self._engine.clock.now()

        def parse(_: object, __: int) -> Event:
            return parse_shopify(topic, payload, now, buyer)

        return await self._engine.intake.take([summary_of(topic, payload)], parse)


class Sources:
    """All of them, by name.

    Args:
        engine: With their settings.
        parse: From a body to JSON.
    """

    def __init__(self, engine: Engine, parse: Callable[[bytes], object]) -> None:
        self._sources = {
            one.name: Source(one, engine, parse) for one in engine.settings.webhook_sources
        }

    async def receive(self, name: str, body: bytes, headers: Mapping[str, str]) -> Taken:
        """Take a webhook in; see `Source.receive`.

        Raises:
            NotFoundError: There is no such source.
        """
        source = self._sources.get(name)
        if source is None:
            rule = "no such source of webhooks; see [[webhook_sources]] of the configuration"
            raise NotFoundError("source", name, rule)
        return await source.receive(body, headers)


def _refusing(error: EventError) -> Parse:
    def parse(_: object, __: int) -> Event:
        raise error

    return parse
