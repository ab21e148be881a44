"""The outbox: told with what happened or not at all, and delivered until it is taken."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli.main import app as cli
from api.loop.alerts import QUIET_US, Alerts
from api.loop.clock import SystemClock
from api.loop.engine import Engine
from api.loop.metrics import Metrics
from api.storage import outbox
from api.storage.outbox import NOTICE_TYPES, Notice
from api.storage.sqlite import SQLiteStore
from api.webhooks.endpoint import Endpoint
from api.webhooks.settings import WebhookEndpointSettings
from api.worker.delivery import AT_ONCE, LONGEST_SECONDS, Deliverer
from tests.api.loop.test_engine import run, settings
from tests.api.service import (
    configuration,
    problem_of,
    running_service,
    stored,
    write_configuration,
)
from tests.api.test_auth import KEYS, bearer, configured
from tests.api.webhooks.receiver import Receiver, receiving
from tests.api.webhooks.senders import NEW, OLD

ALERT = Notice("alert.raised", 5, {"name": "disk", "subject": "s", "detail": "Grüße"})


def section(url: str, name: str = "shop", **changes: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "secrets": [OLD, NEW], **changes}


class Clock(SystemClock):
    """The machine's clock, with time to skip."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_us = 0

    def wall_us(self) -> int:
        return super().wall_us() + self.skipped_us


class Outbox:
    """A store with one endpoint, and what delivers to it."""

    def __init__(self, store: SQLiteStore, url: str, **changes: Any) -> None:
        made = WebhookEndpointSettings.model_validate(section(url, **changes))
        self.store, self.clock, self.endpoint = store, Clock(), Endpoint(made)
        self.metrics = Metrics()
        self.deliverer = Deliverer(
            [self.endpoint], store, self.clock, self.metrics, np.random.default_rng(0)
        )

    async def deliver(self, after_seconds: float = 0.0) -> int:
        self.clock.skipped_us += round(after_seconds * 1e6)
        return await self.deliverer.run_once(self.endpoint)

    def count(self, outcome: str) -> float:
        labels = {"endpoint": "shop", "outcome": outcome}
        return self.metrics.registry.get_sample_value("segue_webhooks_total", labels) or 0.0


def with_outbox(folder: Path, url: str, work: Callable[[Outbox], Any], **changes: Any) -> None:
    async def inside() -> None:
        store = SQLiteStore(folder / "s.db", "crash")
        store.subscribe({"shop": NOTICE_TYPES})
        store.start(asyncio.get_running_loop())
        try:
            await work(Outbox(store, url, **changes))
        finally:
            await store.close()

    asyncio.run(inside())


def rows(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "s.db")) as store:
        return store.execute("SELECT status, tries, error FROM outbox ORDER BY seq").fetchall()


def test_a_failed_delivery_is_tried_again_later_under_the_same_id(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.statuses = [500, 503, 204]

        async def work(box: Outbox) -> None:
            await box.store.tell(ALERT)
            assert await box.deliver() == 0
            assert await box.deliver() == 0  # not due yet
            assert len(receiver.requests) == 1
            assert await box.deliver(after_seconds=7) == 0
            assert await box.deliver(after_seconds=7) == 0
            assert len(receiver.requests) == 2
            assert await box.deliver(after_seconds=26) == 1
            assert await box.deliver(after_seconds=1e6) == 0
            assert (box.count("failed"), box.count("delivered"), box.count("dead")) == (2, 1, 0)

        with_outbox(tmp_path, receiver.url, work)
        assert len(set(receiver.ids())) == 1
        timestamps = [headers["webhook-timestamp"] for headers, _ in receiver.requests]
        assert timestamps == sorted(set(timestamps)), "each try is signed anew"
    assert rows(tmp_path) == [("delivered", 3, None)]


def test_after_its_tries_a_delivery_is_dead_and_can_be_sent_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.statuses = [500]

        async def work(box: Outbox) -> None:
            await box.store.tell(ALERT)
            for _ in range(5):
                await box.deliver(after_seconds=LONGEST_SECONDS * 2)
            assert len(receiver.requests) == 3
            assert rows(tmp_path) == [("dead", 3, "answered 500")]
            assert box.count("dead") == 1
            receiver.statuses = [204]
            assert await box.store.redeliver("nobody", None, box.clock.now_us()) == 0
            assert await box.store.redeliver("shop", None, box.clock.now_us()) == 1
            assert await box.deliver() == 1
            message_id = receiver.ids()[0]
            assert await box.store.redeliver(None, None, box.clock.now_us()) == 0
            assert await box.store.redeliver(None, message_id, box.clock.now_us()) == 1
            assert await box.deliver() == 1

        with_outbox(tmp_path, receiver.url, work, tries=3)
        assert len(set(receiver.ids())) == 1


def test_a_receiver_that_is_gone_is_not_asked_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.statuses = [410]

        async def work(box: Outbox) -> None:
            await box.store.tell(ALERT)
            await box.deliver()

        with_outbox(tmp_path, receiver.url, work)
    assert rows(tmp_path) == [("dead", 1, "answered 410")]


def test_many_are_sent_a_few_at_a_time(tmp_path: Path) -> None:
    with receiving() as receiver:

        async def work(box: Outbox) -> None:
            for _ in range(AT_ONCE + 5):
                await box.store.tell(ALERT)
            assert [await box.deliver() for _ in range(3)] == [AT_ONCE, 5, 0]

        with_outbox(tmp_path, receiver.url, work)
        assert len(set(receiver.ids())) == AT_ONCE + 5


def test_waits_grow_to_a_bound_and_are_not_all_the_same() -> None:
    deliverer = Deliverer([], None, Clock(), Metrics(), np.random.default_rng(0))  # type: ignore[arg-type]
    waits = [[deliverer.delay_seconds(tries) for _ in range(50)] for tries in range(1, 12)]
    for tries, several in enumerate(waits, 1):
        plain = min(5.0 * 4.0 ** (tries - 1), LONGEST_SECONDS)
        assert all(0.75 * plain <= one <= 1.25 * plain for one in several)
        assert len(set(several)) > 40
    assert sum(np.mean(several) for several in waits[:9]) < 4 * 86_400  # within outbox_days


def test_a_notice_is_kept_with_what_it_tells_or_not_at_all(tmp_path: Path) -> None:
    async def work(box: Outbox) -> None:
        def fails(connection: sqlite3.Connection) -> None:
            outbox.tell(connection, ALERT)
            raise ValueError("and the rest of it failed")

        with pytest.raises(ValueError, match="failed"):
            await box.store.writer.call(fails)
        assert await box.store.due_notices("shop", 10**18, 10) == ([], 0)

    with_outbox(tmp_path, "http://127.0.0.1:1/", work)


def test_what_nobody_wants_is_not_kept(tmp_path: Path) -> None:
    async def work(box: Outbox) -> None:
        assert await box.store.tell(ALERT) == 1
        assert await box.store.tell(ALERT._replace(type="segment.changed")) == 0

    async def inside() -> None:
        store = SQLiteStore(tmp_path / "s.db", "crash")
        store.subscribe({"shop": ["alert.raised"], "other": ["policy.promoted"]})
        store.start(asyncio.get_running_loop())
        await work(Outbox(store, "http://127.0.0.1:1/"))
        await store.close()

    asyncio.run(inside())
    assert len(rows(tmp_path)) == 1


def test_an_alert_is_told_once_an_hour(tmp_path: Path) -> None:
    async def work(box: Outbox) -> None:
        alerts = Alerts(box.store, box.clock)
        told = [await alerts.raise_alert("failed", what, "why") for what in ("a", "a", "b")]
        box.clock.skipped_us += QUIET_US
        told.append(await alerts.raise_alert("failed", "a", "why"))
        assert told == [True, False, True, True]

    with_outbox(tmp_path, "http://127.0.0.1:1/", work)


def test_work_that_fails_in_the_background_is_an_alert(tmp_path: Path) -> None:
    made = settings(tmp_path)
    endpoints = (WebhookEndpointSettings.model_validate(section("http://127.0.0.1:1/")),)

    async def work(engine: Engine) -> None:
        async def fails() -> None:
            raise ArithmeticError("with something personal")

        task = engine._every(0.0, fails)
        notices: list[outbox.Delivery] = []
        while not notices:
            await asyncio.sleep(0.001)
            notices, _ = await engine.store.due_notices("shop", 10**18, 10)
        task.cancel()
        (notice,) = notices
        told = json.loads(notice.body)["data"]
        assert (told["name"], told["detail"]) == ("background_work_failed", "ArithmeticError")

    run(made.model_copy(update={"webhook_endpoints": endpoints}), work)


def buy(client: httpx.Client, visitor: str) -> str:
    headers = bearer(KEYS["admin"])
    ask = {"visitor": visitor, "placement": "home"}
    decision_id = client.post("/v1/decisions", json=ask, headers=headers).json()["decision_id"]
    products = [{"product_id": "p", "category": name} for name in ("Tea", "Salt", "Beef")]
    order = {"event": "Order Completed", "userId": visitor, "messageId": f"m-{visitor}"}
    body = {**order, "properties": {"products": products, "order_id": f"o-{visitor}"}}
    for _ in range(2):  # a repeat tells nobody anything
        client.post("/v1/track", json=body, headers=headers)
    return str(decision_id)


def told_of(receiver: Receiver, visitor: str) -> list[dict[str, Any]]:
    data = [payload["data"] for payload in receiver.verified(NEW)]
    return [one for one in data if one.get("visitor") == visitor]


def test_a_conversion_is_told_by_the_real_service_and_seen_by_routes_and_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [
        configured("all", KEYS["admin"], "admin", "read", "decide", "ingest"),
        configured("shop", KEYS["read"], "read"),
    ]
    runner = CliRunner()
    with receiving() as receiver, receiving() as dead:
        dead.statuses = [410]
        endpoints = [section(receiver.url), section(dead.url, "dead", types=list(NOTICE_TYPES))]
        made = configuration(webhook_endpoints=endpoints, keys=keys)
        with running_service(tmp_path, made) as client:
            decision_id = buy(client, "ann")
            receiver.wait_for(1)
            dead.wait_for(1)
            (told,) = told_of(receiver, "ann")
            assert told["decision_id"] == decision_id
            assert (told["event"], told["order_id"], told["worth"]) == (
                "Order Completed", "o-ann", 1.0,
            )  # fmt: skip
            headers = bearer(KEYS["admin"])
            while stored(tmp_path, "SELECT 1 FROM outbox WHERE status = 'waiting'"):
                pass
            listed = client.get("/v1/deliveries?status=dead", headers=headers)
            assert listed.status_code == 200, listed.text
            assert [(one["endpoint"], one["error"]) for one in listed.json()["deliveries"]] == [
                ("dead", "answered 410")
            ]
            problem_of(client.get("/v1/deliveries?status=no", headers=headers), 422, "status")
            again = client.post("/v1/deliveries/redeliver", json={"endpoint": "x"}, headers=headers)
            problem_of(again, 404, "endpoint")
            metrics = client.get("/metrics", headers=headers).text
            assert 'segue_webhooks_total{endpoint="shop",outcome="delivered"} 1.0' in metrics

            dead.statuses = [204]
            monkeypatch.setenv("SEGUE_KEY", KEYS["admin"])
            url = str(client.base_url)
            done = runner.invoke(cli, ["webhooks", "redeliver", "--url", url])
            assert done.output.startswith("1 deliveries"), done.output
            dead.wait_for(2)
            assert len(set(dead.ids())) == 1
            config = str(tmp_path / "segue.toml")
            done = runner.invoke(cli, ["webhooks", "list", "--config", config])
            assert done.output.count("conversion.credited") == 2, done.output
            assert receiver.ids()[0] in done.output  # whole: `redeliver --message` takes it
            done = runner.invoke(cli, ["webhooks", "test", "shop", "--config", config])
            assert done.output.startswith("shop took msg_"), done.output
            assert receiver.verified(OLD)[-1]["type"] == "webhook.test"
            receiver.statuses = [500]
            done = runner.invoke(cli, ["webhooks", "test", "shop", "--config", config])
            assert (done.exit_code, "answered 500" in done.output) == (2, True)
    log = (tmp_path / "log").read_text()
    assert not any(secret.removeprefix("whsec_") in log for secret in (OLD, NEW))


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--status", "lost"],
        ["redeliver", "--url", "file:///etc/passwd"],
        ["redeliver", "--url", "http://127.0.0.1:1"],
        ["test", "nobody"],
    ],
)
def test_a_command_that_cannot_go_on_says_why(tmp_path: Path, arguments: list[str]) -> None:
    config = str(write_configuration(tmp_path, configuration()))
    options = [] if arguments[0] == "redeliver" else ["--config", config]
    done = CliRunner().invoke(cli, ["webhooks", *arguments, *options])
    assert done.exit_code == 2
    assert done.output.strip()
