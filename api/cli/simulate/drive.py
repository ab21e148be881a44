"""Simulated days against a running service: decisions before, events and rewards after.

Where it stands: `simulator` lives the days, `client.py` carries what the service has to know.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from api.cli.simulate.client import Service, ServiceError
from segments.event import Event
from simulator.crowd import Crowd
from simulator.dynamics.world import World
from simulator.events import day_events, morning, visitor_id

EVENTS_A_BATCH = 200


@dataclass(frozen=True, slots=True)
class Driven:
    """What happened.

    Args:
        n_decisions: Asked for.
        n_defaults: Of them, answered with the placement's default.
        n_unreached: Of them, for a channel that the shopper has left; nothing was sent.
        n_events: Accepted by the service.
        reward: Margin less costs a shopper, in currency units.
        stayed: Share of shoppers who have not left.
        p50_ms, p99_ms: Time to a decision, as the shopper saw it.
        seconds: Altogether.
    """

    n_decisions: int
    n_defaults: int
    n_unreached: int
    n_events: int
    reward: float
    stayed: float
    p50_ms: float
    p99_ms: float
    seconds: float


class Drive:
    """Shoppers of a world as visitors of a service.

    Args:
        service: Where to.
        placement: Which decides. Its actions must have the ids of the world's.
        world: Where the shoppers live.
        n_shoppers: How many.
        seed: Of their luck.
        replay: Whether the service runs on the requests' clock (`clock = "replay"`).
        n_threads: Requests in flight.
    """

    def __init__(
        self,
        service: Service,
        placement: str,
        world: World,
        n_shoppers: int,
        *,
        seed: int = 0,
        replay: bool = True,
        n_threads: int = 8,
    ) -> None:
        self.service = service
        self.placement = placement
        self.world = world
        self.crowd = Crowd(world, n_shoppers, seed=seed)
        self.replay = replay
        self.n_threads = n_threads
        self._index = {action.id: i for i, action in enumerate(world.actions)}

    def run(self, n_days: int, on_day: Callable[[int], None] | None = None) -> Driven:
        """Live some days.

        Raises:
            ServiceError: The service refused something, or shows an action that no shopper knows.
        """
        try:
            return self._run(n_days, on_day)
        finally:
            self.service.close()

    def _run(self, n_days: int, on_day: Callable[[int], None] | None) -> Driven:
        start, total = perf_counter(), np.zeros(len(self.crowd.shoppers))
        latencies: list[float] = []
        n_defaults = n_unreached = n_events = 0
        with ThreadPoolExecutor(self.n_threads) as pool:
            for day in range(n_days):
                here = np.flatnonzero(~self.crowd.left)
                asked = list(pool.map(lambda slot, day=day: self._ask(int(slot), day), here))
                latencies += [latency for _, latency in asked]
                n_defaults += sum(bool(answer["default"]) for answer, _ in asked)
                chosen = [self._index_of(answer) for answer, _ in asked]
                reached = self.crowd.mask()[here, chosen] if len(here) else np.ones(0, np.bool_)
                n_unreached += int((~reached).sum())
                actions = np.zeros(len(total), np.int64)
                actions[here] = np.where(reached, chosen, 0)
                outcome = np.stack(self.crowd.live(actions))
                total += outcome[0]
                events = [
                    event
                    for slot in here
                    for event in day_events(
                        int(slot), day, self.world.actions[actions[slot]], outcome[:, slot]
                    )
                ]
                n_events += sum(pool.map(self._tell, _batches(events)))
                answers = [answer for answer, _ in asked]
                list(pool.map(self._reward, outcome[0, here].tolist(), answers))
                if on_day is not None:
                    on_day(day)
        times = np.array(latencies or [0.0]) * 1e3
        return Driven(
            len(latencies), n_defaults, n_unreached, n_events, float(total.mean()) / 100.0,
            float((~self.crowd.left).mean()), float(np.percentile(times, 50)),
            float(np.percentile(times, 99)), perf_counter() - start,
        )  # fmt: skip

    def _ask(self, slot: int, day: int) -> tuple[Any, float]:
        body = {"visitor": visitor_id(slot), "placement": self.placement}
        if self.replay:
            body["timestamp"] = morning(day).isoformat()
        start = perf_counter()
        answer = self.service.post("/v1/decisions", body)
        return answer, perf_counter() - start

    def _index_of(self, answer: Any) -> int:
        action_id = answer["action"]["id"]
        if action_id not in self._index:
            raise ServiceError(
                f"placement {self.placement!r} shows {action_id!r}, which shoppers of the world "
                f"{self.world.name!r} do not know: give it the actions {', '.join(self._index)}"
            )
        return self._index[action_id]

    def _tell(self, events: list[Event]) -> int:
        messages = [message(event, timed=self.replay) for event in events]
        body: dict[str, Any] = {"batch": messages}
        if self.replay:
            body["sentAt"] = messages[-1]["timestamp"]
        return int(self.service.post("/v1/batch", body)["accepted"])

    def _reward(self, reward_cents: float, answer: Any) -> None:
        if answer["decision_id"] is not None:
            body = {"decision_id": answer["decision_id"], "value": reward_cents / 100.0}
            self.service.post("/v1/rewards", body)


def message(event: Event, *, timed: bool) -> dict[str, Any]:
    """An event in Segment's wire shape; money in whole units."""
    properties: dict[str, Any] = {
        "order_id": event.order_id,
        "revenue": _units(event.revenue_cents),
        "discount": _units(event.discount_cents),
        "currency": event.currency,
    }
    if event.products:
        properties["products"] = [
            {"category": line.category, "price": _units(line.price_cents), "quantity": 1}
            for line in event.products
        ]
    context: dict[str, Any] = {"channel": event.channel}
    if event.consent:
        context["consent"] = {"categoryPreferences": dict(event.consent)}
    return {
        "type": "track",
        "event": event.name,
        "userId": event.visitor,
        "messageId": event.message_id,
        "context": context,
        "properties": {name: value for name, value in properties.items() if value is not None},
        **({"timestamp": event.timestamp.isoformat()} if timed else {}),
    }


def _units(cents: int | None) -> float | None:
    return None if cents is None else cents / 100


def _batches(events: list[Event]) -> Iterable[list[Event]]:
    # A visitor's events stay in order: each batch is sent whole, and visitors are not split up
    # within a day unless they fill a batch alone.
    for start in range(0, len(events), EVENTS_A_BATCH):
        yield events[start : start + EVENTS_A_BATCH]
