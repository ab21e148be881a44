"""More than the service can take, and a log that is slow, locked or gone: an answer always."""

import asyncio
import resource
import socket
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.configuration import parse_settings
from api.hot import HotPath
from api.loop.backlog import Backlog
from api.loop.breaker import Breaker
from api.loop.engine import Engine
from api.storage.base import StoreUnavailableError
from api.storage.writer import GroupCommitWriter
from tests.api.service import configuration, problem_of, running_service, stored

ASK = {"visitor": "ann", "placement": "home"}
EVENT = {"anonymousId": "ann", "event": "Product Viewed", "properties": {"product_id": "p"}}
WAIT_SECONDS = 60.0


class Service:
    """The application without a socket."""

    def __init__(self, app: HotPath, engine: Engine) -> None:
        self.engine = engine
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://segue")

    async def decide(self, **more: Any) -> httpx.Response:
        return await self._client.post("/v1/decisions", json={**ASK, **more})

    async def track(self, number: int = 0) -> httpx.Response:
        return await self._client.post("/v1/track", json={**EVENT, "messageId": f"m{number}"})

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)


def within(folder: Path, work: Callable[[Service], Awaitable[None]], **service: Any) -> None:
    given = {"database": str(folder / "segue.db"), "durability": "crash", **service}
    app = create_app(parse_settings(configuration(service=given)))
    assert isinstance(app, HotPath)
    engine: Engine = app.app.state.engine  # type: ignore[attr-defined]  # FastAPI's

    async def inside() -> None:
        await engine.start()
        try:
            await work(Service(app, engine))
        finally:
            await engine.stop()

    asyncio.run(inside())


async def until(holds: Callable[[], bool]) -> None:
    """Let others go on until something holds."""
    while not holds():  # noqa: ASYNC110  # of the code under test, which sets no event
        await asyncio.sleep(0.001)


class Gate:
    """Holds groups up at the disk, before their first row or before their commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at_commit: bool) -> None:
        self._open = threading.Event()
        self._open.set()
        self.sizes: list[int] = []
        commit, apply = GroupCommitWriter._commit, GroupCommitWriter._apply

        def held_commit(writer: GroupCommitWriter, group: list[Any]) -> None:
            self.sizes.append(len(group))
            if not at_commit:
                assert self._open.wait(WAIT_SECONDS)
            commit(writer, group)

        def held_apply(writer: GroupCommitWriter, group: list[Any]) -> None:
            apply(writer, group)
            if at_commit:
                assert self._open.wait(WAIT_SECONDS)

        monkeypatch.setattr(GroupCommitWriter, "_commit", held_commit)
        monkeypatch.setattr(GroupCommitWriter, "_apply", held_apply)

    @contextmanager
    def shut(self) -> Iterator[None]:
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process holds the database."""
    with closing(sqlite3.connect(folder / "segue.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def is_default(answer: httpx.Response) -> bool:
    body = answer.json()
    return (
        answer.status_code == 200
        and body["default"]
        and body["decision_id"] is None
        and body["probability"] == 1.0
        and body["reason"] == "the log cannot be written"
    )


async def recovered(service: Service) -> str:
    """The first decision that is logged again."""
    while True:
        body = (await service.decide()).json()
        if body["decision_id"] is not None:
            return str(body["decision_id"])
        await asyncio.sleep(0.02)


def decisions(folder: Path) -> set[str]:
    """Of the log, but for the defaults that were shown while it could not be written."""
    sql = "SELECT decision_id FROM decisions WHERE reason IS NOT 'the log cannot be written'"
    return {row[0] for row in stored(folder, sql)}


def test_while_the_database_is_locked_decisions_answer_by_default(tmp_path: Path) -> None:
    async def work(service: Service) -> None:
        with locked(tmp_path):
            answers = await asyncio.gather(*(service.decide() for _ in range(20)))
            assert all(map(is_default, answers))  # while the lock is still held
            slots = [{"id": "a"}, {"id": "b"}]
            listed = (await service.decide(slots=slots)).json()
            assert listed["list_id"] is None
            assert listed["slots"][0]["decision"]["default"]
        logged = await recovered(service)
        assert decisions(tmp_path) == {logged}  # nothing that nobody was shown

    within(tmp_path, work, deadline_ms=50)


@pytest.mark.parametrize("at_commit", [False, True])
@pytest.mark.parametrize("slots", [None, [{"id": "a"}, {"id": "b"}]])
def test_what_was_given_up_is_not_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_commit: bool, slots: Any
) -> None:
    gate = Gate(monkeypatch, at_commit)

    async def work(service: Service) -> None:
        with gate.shut():
            answer = (await service.decide(slots=slots)).json()
            assert answer["list_id" if slots else "decision_id"] is None
        logged = await recovered(service)
        assert decisions(tmp_path) == {logged}

    within(tmp_path, work, deadline_ms=20)


@pytest.mark.parametrize("slots", [None, [{"id": "a"}, {"id": "b"}]])
def test_what_was_given_up_before_its_flush_never_becomes_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: Any
) -> None:
    """So a kill afterwards does not leave it: nothing has to be taken back any more."""
    gate = Gate(monkeypatch, at_commit=True)
    late: list[object] = []
    monkeypatch.setattr(GroupCommitWriter, "_take_back", lambda _, work: late.append(work))

    async def work(service: Service) -> None:
        with gate.shut():
            answer = (await service.decide(slots=slots)).json()
            assert answer["list_id" if slots else "decision_id"] is None
        logged = await recovered(service)
        assert decisions(tmp_path) == {logged}
        assert not late

    within(tmp_path, work, deadline_ms=20)


def test_defaults_are_logged_as_soon_as_the_log_can_be_written(tmp_path: Path) -> None:
    """With probability 1 and their reason; an hour without a log leaves no hole in it."""
    slots = [{"id": "a"}, {"id": "b"}]

    async def work(service: Service) -> None:
        backlog = service.engine.shown.backlog
        with locked(tmp_path):
            answers = await asyncio.gather(*(service.decide() for _ in range(20)))
            assert all(map(is_default, answers))
            await service.decide(slots=slots)
            assert len(backlog) == 21
            assert "segue_defaults_unlogged 21.0" in (await service.get("/metrics")).text
        await until_flushed(service)
        sql = """SELECT visitor, action_id, probability, layout, count(*), count(list_id)
                 FROM decisions WHERE reason = 'the log cannot be written' GROUP BY 1, 2, 3, 4"""
        assert stored(tmp_path, sql) == [("ann", "tea", 1.0, None, 21, 1)]

    within(tmp_path, work, deadline_ms=50)


async def until_flushed(service: Service) -> None:
    while len(service.engine.shown.backlog):
        await service.engine.shown.backlog.flush()
        await asyncio.sleep(0.01)


def test_the_backlog_is_bounded_and_reached_by_an_erasure(tmp_path: Path) -> None:
    async def work(service: Service) -> None:
        shown = service.engine.shown
        backlog = shown.backlog = Backlog(shown, most=3)
        with locked(tmp_path):
            for visitor in ("ann", "bob", "cid", "dan", "eve"):
                await service.decide(visitor=visitor)
            assert (len(backlog), backlog.n_dropped) == (3, 2)
            shown.erase(["dan"])
            assert len(backlog) == 2
        await until_flushed(service)
        sql = "SELECT visitor FROM decisions WHERE reason = 'the log cannot be written'"
        assert sorted(stored(tmp_path, sql)) == [("cid",), ("eve",)]
        assert not shown.exposures._pending

    within(tmp_path, work, deadline_ms=20)


def test_with_a_slow_disk_groups_grow_and_ingestion_is_shed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, at_commit=True)

    async def work(service: Service) -> None:
        await service.decide()
        gate.sizes.clear()
        with gate.shut():
            going = [asyncio.create_task(service.decide()) for _ in range(200)]
            store = service.engine.store
            await until(lambda: store.n_waiting >= 200 and store.writer.waited_seconds > 1.5)
            for number in range(3):
                refused = await service.track(number)
                assert problem_of(refused, 503)["type"] == "urn:segue:problem:overloaded"
                assert refused.headers["retry-after"] == "1"
            assert not any(task.done() for task in going)
        answers = await asyncio.gather(*going)
        assert all(answer.json()["decision_id"] for answer in answers)
        assert len(gate.sizes) < 50  # a flush served many
        assert (await service.track(0)).status_code == 200

    within(tmp_path, work, deadline_ms=3_000)


def test_an_event_storm_is_shed_and_decisions_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, at_commit=False)

    async def work(service: Service) -> None:
        order: list[str] = []

        async def noted(kind: str, request: Awaitable[httpx.Response]) -> httpx.Response:
            answer = await request
            order.append(f"{kind} {answer.status_code}")
            return answer

        with gate.shut():
            storm = [
                asyncio.create_task(noted("event", service.track(number))) for number in range(400)
            ]
            asked = [asyncio.create_task(noted("decision", service.decide())) for _ in range(10)]
            await until(lambda: len(order) >= 400 - 16)
            assert set(order) == {"event 503"}
        await asyncio.gather(*storm, *asked)
        assert order.count("event 200") == 16
        assert order.count("decision 200") == 10
        assert not any(is_default(task.result()) for task in asked)
        refused = next(task.result() for task in storm if task.result().status_code == 503)
        assert refused.headers["retry-after"] == "1"

    within(tmp_path, work, max_in_flight=64, deadline_ms=30_000)


def test_at_three_times_what_it_takes_the_rest_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, at_commit=False)

    async def work(service: Service) -> None:
        for _ in range(3):  # nothing is left over from one wave to the next
            with gate.shut():
                going = [asyncio.create_task(service.decide()) for _ in range(96)]
                await until(lambda going=going: sum(task.done() for task in going) >= 64)
                early = [task.result() for task in going if task.done()]
            answers = await asyncio.gather(*going)
            assert len(early) == 64
            for refused in early:
                problem_of(refused, 503)
                assert refused.headers["retry-after"] == "1"
            assert sum(bool(answer.json().get("decision_id")) for answer in answers) == 32

    within(tmp_path, work, max_in_flight=32, deadline_ms=30_000)


def test_the_breaker_opens_spares_the_wait_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(service: Service) -> None:
        store = service.engine.store
        assert (await service.get("/readyz")).json() == {"status": "ready", "breaker": "closed"}
        tried = []

        def fails(row: object, _: object) -> None:
            tried.append(row)
            raise StoreUnavailableError("database or disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(store, "append_decision", fails)
            for _ in range(12):
                assert is_default(await service.decide())
        assert len(tried) == 5
        assert (await service.get("/readyz")).json()["breaker"] == "open"
        assert "segue_store_breaker 2.0" in (await service.get("/metrics")).text
        await recovered(service)
        assert (await service.get("/readyz")).json()["breaker"] == "closed"
        assert "segue_store_breaker 0.0" in (await service.get("/metrics")).text

    within(tmp_path, work)


def test_a_half_open_breaker_lets_one_try() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, open_seconds=1.0, ticks=lambda: now[0])
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.check()
    breaker.failed()
    for now[0] in (0.0, 0.9):
        with pytest.raises(StoreUnavailableError):
            breaker.check()
    now[0] = 1.0
    breaker.check()
    assert breaker.state == "half-open"
    with pytest.raises(StoreUnavailableError):
        breaker.check()
    breaker.failed()
    assert breaker.state == "open"
    now[0] = 2.5
    breaker.check()
    breaker.succeeded()
    breaker.check()
    assert breaker.state == "closed"


def test_without_file_descriptors_it_recovers_when_there_are_some_again(tmp_path: Path) -> None:
    """Of 128, most are taken by connections that say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))  # the service inherits it
    try:
        service = {**configuration()["service"], "request_seconds": 1.0}
        running = running_service(tmp_path, configuration(service=service))
        with running as client:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            address = ("127.0.0.1", client.base_url.port or 0)
            strangers = [socket.create_connection(address) for _ in range(200)]
            for stranger in strangers:  # let go by the service, not by us: that makes room
                stranger.settimeout(WAIT_SECONDS)
            for stranger in strangers[:50]:
                assert not stranger.recv(1)
            for stranger in strangers:
                stranger.close()
            answer = client.post("/v1/decisions", json=ASK)
            assert answer.json()["decision_id"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
