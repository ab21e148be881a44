"""Replays baskets in time order: before each a decision, after it the order.

Where it stands: `Baskets` in, the tiles that the service chose out; every reward is the service's
own reading of the orders.

Time moves in chunks: up to 32 consecutive baskets in which no household appears twice. The
decisions of a chunk are asked for concurrently, then its orders go in one batch. So each household
is decided for with all its earlier orders known, and the order of time is kept from chunk to
chunk; within one, a decision does not yet know the (at most 31) other households' orders.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from api.cli.demo.client import Answer, Call, Client, DemoError
from api.cli.demo.configuration import PLACEMENT
from simulator.replay.baskets import Basket, Baskets

CHUNK = 32
MAX_CHUNK_LINES = 1_000
"""Keeps the body of a batch far below what the service accepts."""
FIT_SECONDS = 300.0
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What the service answered.

    Args:
        tiles: Id of the action shown before each basket, shape (n_baskets,).
        latencies_s: Time to each decision, as the client saw it, shape (n_baskets,).
        n_defaults: Decisions that fell back to the placement's default.
        seconds: Time of the replay, without the waits for a segmentation.
    """

    tiles: tuple[str, ...]
    latencies_s: npt.NDArray[np.float64]
    n_defaults: int
    seconds: float


class _Shown(NamedTuple):
    """What is kept of the answer to one decision."""

    tile: str
    is_default: bool
    latency_s: float

    @classmethod
    def of(cls, answer: Answer) -> "_Shown":
        return cls(answer.body["action"]["id"], answer.body["default"], answer.latency_s)


def visitor_of(household: int) -> str:
    """The visitor id under which the service knows a household."""
    return f"household-{household}"


def chunks(baskets: Baskets) -> Iterator[range]:
    """Runs of consecutive baskets, none with a household twice; see the head of the module."""
    start, seen, n_lines = 0, set[int](), 0
    sizes = np.diff(baskets.offsets).tolist()
    for index, household in enumerate(baskets.households.tolist()):
        n_lines += sizes[index]
        if household in seen or len(seen) == CHUNK or n_lines > MAX_CHUNK_LINES:
            yield range(start, index)
            start, seen, n_lines = index, set(), sizes[index]
        seen.add(household)
    yield range(start, len(baskets))


async def replay(
    client: Client,
    baskets: Baskets,
    advance: Callable[[int], None],
    refits: Sequence[float] = (0.25, 1.0),
) -> Replayed:
    """Send every basket through the service; segments are fitted now and then.

    Args:
        client: An open client.
        baskets: What happened.
        advance: Told how many baskets were done, chunk by chunk.
        refits: After which shares of the baskets segments are fitted, in order.

    Raises:
        DemoError: The service refused a request.
    """
    shown: list[_Shown] = []
    waited = 0.0
    due = [int(share * len(baskets)) for share in refits]
    start = perf_counter()
    for chunk in chunks(baskets):
        if due and due[0] < chunk.stop:
            due.pop(0)
            waited += await refit(client)
        shown += await _replay_chunk(client, [baskets.basket(index) for index in chunk])
        advance(len(chunk))
    seconds = perf_counter() - start - waited
    if due:
        await refit(client)
    return Replayed(
        tiles=tuple(one.tile for one in shown),
        latencies_s=np.array([one.latency_s for one in shown]),
        n_defaults=sum(one.is_default for one in shown),
        seconds=seconds,
    )


async def _replay_chunk(client: Client, chunk: list[Basket]) -> list[_Shown]:
    decisions = [Call("POST", "/v1/decisions", decision_body(basket)) for basket in chunk]
    answers = await client.call_all(decisions)
    orders = [order_event(basket) for basket in chunk]
    sent_at = orders[-1]["timestamp"]
    told = await client.call("POST", "/v1/batch", {"batch": orders, "sentAt": sent_at})
    if told["accepted"] != len(orders):
        raise DemoError(f"POST /v1/batch: of {len(orders)} orders the service kept not all: {told}")
    return [_Shown.of(answer) for answer in answers]


def decision_body(basket: Basket) -> dict[str, Any]:
    """The request for a tile before a basket."""
    return {
        "visitor": visitor_of(basket.household),
        "placement": PLACEMENT,
        "context": {},
        "timestamp": _time(basket),
    }


def order_event(basket: Basket) -> dict[str, Any]:
    """A basket as an `Order Completed` event in Segment's wire shape; money in whole units."""
    products = [
        {
            "product_id": line.product_id,
            "category": line.category,
            "brand": line.brand,
            "price": line.price_cents / 100,
            "quantity": line.quantity,
        }
        for line in basket.lines
    ]
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": visitor_of(basket.household),
        "messageId": f"order-{basket.order_id}",
        "timestamp": _time(basket),
        "context": {"channel": "in-store"},
        "properties": {
            "order_id": basket.order_id,
            "total": basket.total_cents / 100,
            "discount": basket.discount_cents / 100,
            "currency": "USD",
            "products": products,
        },
    }


async def refit(client: Client) -> float:
    """Have the segments fitted and wait for it; returns the seconds that it took.

    Raises:
        DemoError: The service refuses, or is not done in time.
    """
    start = used = perf_counter()
    await client.call("POST", "/v1/segments/refit")
    while perf_counter() - start < FIT_SECONDS:
        state = await client.call("GET", "/v1/segments")
        if not state["fitting"]:
            if state["version"] is None or state["last_refit"]["outcome"] == "failed":
                raise DemoError("the segments could not be fitted; the server's log says why")
            return perf_counter() - start
        if perf_counter() - used > IDLE_SECONDS:
            used = perf_counter()
            await client.call_all([Call("GET", "/healthz")] * CHUNK)  # or the service lets them go
        await asyncio.sleep(0.05)
    raise DemoError(f"the segments were not fitted within {FIT_SECONDS:.0f} s")


async def learned(client: Client) -> dict[str, Any]:
    """The placement's row of `GET /v1/policies`, once every reward has been learned from.

    Raises:
        DemoError: Learning does not catch up.
    """
    start = perf_counter()
    while perf_counter() - start < SETTLE_SECONDS:
        state = await client.call("GET", "/v1/policies")
        if not state["rewards_pending"]:
            policies = state["policies"]
            return dict(next(policy for policy in policies if policy["placement"] == PLACEMENT))
        await asyncio.sleep(0.05)
    raise DemoError(f"the learner did not catch up within {SETTLE_SECONDS:.0f} s")


def _time(basket: Basket) -> str:
    return basket.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ")
