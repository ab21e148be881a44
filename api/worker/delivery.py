"""Sends what is in the outbox: outside of requests, again and again, and in the end not any more.

Each endpoint has a task of its own, so that a slow one holds up nobody else. A notice is sent until
it was taken, at least once: after a crash between the answer and the note of it, once more, under
the same id.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
import structlog

from api.loop.clock import Clock
from api.loop.metrics import Metrics
from api.storage.base import Store, StoreError
from api.storage.outbox import Delivery, Sent
from api.webhooks.endpoint import DeliveryError, Endpoint

log = structlog.get_logger()

POLL_SECONDS = 1.0
AT_ONCE = 20
FIRST_SECONDS, FACTOR, LONGEST_SECONDS = 5.0, 4.0, 86_400.0
SECOND_US = 1_000_000


class Deliverer:
    """Delivers to all endpoints.

    Args:
        endpoints: Whom.
        store: With the outbox.
        clock: Says what is due.
        metrics: Counts what came of it.
        rng: Spreads tries, so that an endpoint that comes back is not met by all at once.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        store: Store,
        clock: Clock,
        metrics: Metrics,
        rng: np.random.Generator,
    ) -> None:
        self.endpoints = endpoints
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._rng = rng

    async def run(self, endpoint: Endpoint) -> None:
        """Deliver to one endpoint until cancelled."""
        while True:
            try:
                while await self.run_once(endpoint) == AT_ONCE:
                    pass
            except StoreError as error:
                log.error("outbox_not_read", endpoint=endpoint.name, error=str(error))
            except Exception:
                log.exception("delivery_failed", endpoint=endpoint.name)
            await asyncio.sleep(POLL_SECONDS)

    async def run_once(self, endpoint: Endpoint) -> int:
        """Send what is due now, `AT_ONCE` at most; how many of them were taken."""
        now_us = self._clock.now_us()
        deliveries, n_waiting = await self._store.due_notices(endpoint.name, now_us, AT_ONCE)
        self._metrics.webhooks_waiting.labels(endpoint.name).set(n_waiting)
        if not deliveries:
            return 0
        results = await asyncio.gather(*[self._send(endpoint, one) for one in deliveries])
        await self._store.settle_notices(results)
        for result in results:
            outcome = "failed" if result.status == "waiting" else result.status
            self._metrics.webhooks.labels(endpoint.name, outcome).inc()
        return sum(result.status == "delivered" for result in results)

    async def _send(self, endpoint: Endpoint, delivery: Delivery) -> Sent:
        now_us = self._clock.now_us()
        try:
            await endpoint.send(delivery, self._clock.wall_us() // SECOND_US)
        except DeliveryError as error:
            tries = delivery.tries + 1
            dead = error.final or tries >= endpoint.tries
            log.warning(
                "webhook_dead" if dead else "webhook_not_taken",
                endpoint=endpoint.name,
                message_id=delivery.message_id,
                tries=tries,
                error=str(error),
            )
            due_at_us = now_us + round(self.delay_seconds(tries) * SECOND_US)
            return Sent(delivery.seq, "dead" if dead else "waiting", due_at_us, str(error))
        return Sent(delivery.seq, "delivered", now_us)

    def delay_seconds(self, tries: int) -> float:
        """How long to wait after so many tries, give or take a quarter."""
        plain = min(FIRST_SECONDS * FACTOR ** (tries - 1), LONGEST_SECONDS)
        return plain * float(self._rng.uniform(0.75, 1.25))
