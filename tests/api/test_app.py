"""The application without a server: what clients see of failures that are not theirs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.configuration import parse_settings
from api.hot import HotPath, to_problem
from api.loop.engine import Engine
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.problems import shown
from api.storage.base import StoreUnavailableError
from segments.event import EventError
from tests.api.service import configuration, problem_of


def within(folder: Path, work: Callable[[HotPath, Engine], Awaitable[Any]], start: bool) -> Any:
    """Run work on an application, with its engine started or not."""

    async def inside() -> Any:
        app = create_app(parse_settings(configuration(), source=folder / "segue.toml"))
        engine = app.app.state.engine
        if start:
            await engine.start()
        try:
            return await work(app, engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


async def ask(app: HotPath, method: str, path: str, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://segue") as client:
        return await client.request(method, path, **more)


def test_before_its_start_the_service_lives_but_is_not_ready(tmp_path: Path) -> None:
    async def work(app: HotPath, _: Engine) -> None:
        assert (await ask(app, "GET", "/healthz")).status_code == 200
        problem_of(await ask(app, "GET", "/readyz"), 503)

    within(tmp_path, work, start=False)


def test_a_write_that_fails_is_a_503_to_send_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreUnavailableError("database or disk is full")

    async def work(app: HotPath, engine: Engine) -> None:
        for name in ("append_decision", "append_events", "append_reward", "append_dead_letters"):
            monkeypatch.setattr(engine.store, name, fails)
        for path, body in (
            ("/v1/page", {"userId": "ann"}),
            ("/v1/page", {}),
            ("/v1/batch", {"batch": [{"type": "page", "userId": "ann"}]}),
            ("/v1/rewards", {"decision_id": "d", "value": 1}),
        ):
            answer = await ask(app, "POST", path, json=body)
            problem_of(answer, 503)
            assert answer.headers["retry-after"] == "1"
        asked = {"visitor": "ann", "placement": "home"}
        decided = (await ask(app, "POST", "/v1/decisions", json=asked)).json()
        assert (decided["default"], decided["decision_id"]) == (True, None)

    within(tmp_path, work, start=True)


@pytest.mark.parametrize(
    ("method", "path", "broken"),
    [("POST", "/v1/page", "append_events"), ("GET", "/v1/policies", "last_reward")],
)
def test_what_nobody_expected_is_a_500_that_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, broken: str
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    async def work(app: HotPath, engine: Engine) -> None:
        monkeypatch.setattr(engine.store, broken, fails)
        answer = await ask(app, method, path, json={"userId": "ann"})
        assert "secret" not in json.dumps(problem_of(answer, 500))

    within(tmp_path, work, start=True)


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []
    messages = iter(
        [
            {"type": "http.request", "body": b'{"userId": "gone"}', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    async def work(app: HotPath, engine: Engine) -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/page", "headers": []}
        await app(scope, receive, send)
        assert sent[0]["status"] == 400
        assert engine.pipeline.profile_summary("gone", engine.clock.now()) is None

    within(tmp_path, work, start=True)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequestError("f", 1, "rule"), 422),
        (NotFoundError("f", "x" * 1000, "rule"), 404),
        (ConflictError("f" * 1000, object(), "rule"), 409),
        (EventError("f", 10**400, "rule"), 422),
    ],
)
def test_refusals_inside_become_the_same_problem(error: Exception, status: int) -> None:
    problem = to_problem(error)
    answer = httpx.Response(
        problem.status,
        headers={"content-type": "application/problem+json"},
        content=problem.body(),
        request=httpx.Request("GET", "http://shop/"),
    )
    assert problem_of(answer, status)["errors"][0]["rule"] == "rule"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\ud800", "a\\ud800"),
        ("x" * 81, "x" * 79 + "…"),
        (None, "null"),
        (float("inf"), "Infinity"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        (b"\xff", None),
        ([10**5000], None),
        (object(), None),
        (["\ud800"], None),
    ],
    ids=range(9),
)
def test_any_value_can_be_shown(value: object, text: str | None) -> None:
    assert len(shown(value)) <= 80
    assert text is None or shown(value) == text
