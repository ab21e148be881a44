"""What `benchmarks.http` asks for: the requests, the service's configuration, the check of its log.

Where it stands: plain values for the servers and the load generator.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from api.cli.demo.client import Call, Client
from api.cli.demo.connection import encode_request

N_FEATURES = 25
N_ACTIONS = 10
N_VISITORS = 1_000
PLACEMENT = "home"


def make_requests(port: int) -> list[bytes]:
    """One encoded request for each of a thousand visitors, with 25 context features each."""
    numbers = random.Random(0)
    return [
        encode_request(f"127.0.0.1:{port}", "POST", "/v1/decisions", json.dumps(body).encode())
        for body in (
            {
                "visitor": f"visitor-{visitor}",
                "placement": PLACEMENT,
                "context": {_feature(i): round(numbers.random(), 4) for i in range(N_FEATURES)},
            }
            for visitor in range(N_VISITORS)
        )
    ]


def render_configuration(port: int) -> str:
    """The service's configuration: 10 actions, 25 context features, the default policy."""
    ids = [f"action-{number}" for number in range(N_ACTIONS)]
    actions = [f'[[actions]]\nid = "{one}"\ncategory = "{one}"\n' for one in ids]
    features = ", ".join(f'{_feature(number)} = "number"' for number in range(N_FEATURES))
    return "\n".join(
        (
            f'[service]\nport = {port}\ndatabase = "segue.db"\n',
            *actions,
            "[[placements]]",
            f'name = "{PLACEMENT}"\nactions = {json.dumps(ids)}\ndefault = "{ids[0]}"',
            f"context = {{ {features} }}",
        )
    )


async def make_known(port: int, decisions: Sequence[str]) -> None:
    """Orders of every visitor, rewards of some decisions, segments: nothing is left unknown.

    Args:
        port: Of the service.
        decisions: Ids of decisions that were made before.
    """
    numbers = random.Random(1)
    client = await Client.open("127.0.0.1", port, 8)
    try:
        orders = [
            make_order(visitor, order, numbers) for visitor in range(N_VISITORS) for order in "ab"
        ]
        for start in range(0, len(orders), 200):
            await client.call("POST", "/v1/batch", {"batch": orders[start : start + 200]})
        rewards = [
            {"decision_id": one, "reward_id": f"r-{one}", "value": numbers.random()}
            for one in decisions
        ]
        await client.call_all([Call("POST", "/v1/rewards", reward) for reward in rewards])
        await client.call("POST", "/v1/segments/refit")
        while (await client.call("GET", "/v1/segments"))["fitting"]:  # noqa: ASYNC110  # over HTTP
            await asyncio.sleep(0.1)
    finally:
        client.close()


def make_order(visitor: int, order: str, numbers: random.Random) -> dict[str, object]:
    """A tracking message of an order with six products."""
    products = [
        {"product_id": one, "category": one, "price": 5.0, "quantity": 1}
        for one in numbers.sample([f"action-{number}" for number in range(2 * N_ACTIONS)], 6)
    ]
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"visitor-{visitor}",
        "messageId": f"order-{visitor}-{order}",
        "properties": {"total": 30.0, "products": products},
    }


def not_logged(database: Path, acknowledged: Sequence[str]) -> int:
    """How many acknowledged decisions the log does not hold."""
    connection = sqlite3.connect(database)
    try:
        logged = {row[0] for row in connection.execute("SELECT decision_id FROM decisions")}
    finally:
        connection.close()
    return len(set(acknowledged) - logged) + len(acknowledged) - len(set(acknowledged))


def _feature(number: int) -> str:
    return f"feature_{number:02d}"
