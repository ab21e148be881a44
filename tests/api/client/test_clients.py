"""Both clients against the real service, and against one that misbehaves."""

import asyncio
import inspect
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import (
    AsyncSegue,
    Decision,
    RefusedError,
    Reward,
    Segue,
    SegueError,
)
from tests.api.client.stub import HANG, Stub, stub_server
from tests.api.service import stored

PATIENT = {"timeout_ms": 20_000.0, "interval_ms": 1.0}
ANSWER = {
    "decision_id": "d1",
    "action": {"id": "tea", "kind": "content", "payload": {"title": "Tea"}},
    "probability": 0.5,
    "ranking": [],
    "segment": "s1",
    "group": None,
    "policy_version": "home.0@0",
    "default": False,
    "reason": None,
}


class Blocking:
    """`AsyncSegue` for ordinary code, so that one test tries both."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._made(args, options))

    async def _made(self, args: Any, options: Any) -> AsyncSegue:
        return AsyncSegue(*args, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **options: Any) -> Any:
            found = getattr(self._client, name)(*args, **options)
            return await found if inspect.isawaitable(found) else found

        return lambda *args, **options: self._runner.run(call(*args, **options))

    def close(self, *args: float) -> None:
        with self._runner as runner:
            runner.run(self._client.close(*args))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


CLIENTS = {"sync": Segue, "async": Blocking}


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    made: Callable[..., Any] = CLIENTS[request.param]
    return made


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


def rewards_of(folder: Path, decision: Decision) -> list[tuple[float]]:
    sql = "SELECT value FROM rewards WHERE decision_id = ? AND source = 'explicit' ORDER BY seq"
    return stored(folder, sql, decision.decision_id)


def test_decisions_and_rewards(
    service: httpx.Client, service_folder: Path, connect: Callable[..., Any]
) -> None:
    lost: list[Any] = []
    with connect(str(service.base_url), on_lost=lambda *one: lost.append(one), **PATIENT) as segue:
        decision = segue.decide("c1", "home", context={"basket": 3.0}, excluded=["beef"])
        assert decision.action_id in ("tea", "salt")
        assert not decision.is_local
        assert 0 < decision.probability <= 1
        assert segue.activate(decision)
        for _ in range(3):
            assert segue.reward(decision, 0.25)
        for _ in range(2):
            assert segue.reward(decision, 2.0, reward_id=f"named {decision.decision_id}")
        assert segue.reward("nobody's", 1.0)
        assert segue.flush()
    assert rewards_of(service_folder, decision) == [(0.25,), (0.25,), (0.25,), (2.0,)]
    ((reward, error),) = lost
    assert reward.decision_id == "nobody's"
    assert isinstance(error, RefusedError)
    assert "no such decision" in str(error)


def test_lists(service: httpx.Client, connect: Callable[..., Any]) -> None:
    slots = [{"id": "top"}, {"id": "side", "excluded": ["tea", "salt", "beef"]}]
    with connect(str(service.base_url), **PATIENT) as segue:
        shown = segue.decide_list("c2", "home", slots)
    assert shown["top"].action_id in ("tea", "salt", "beef")
    assert shown["side"] is None


def test_a_key_is_sent(stub: Stub, connect: Callable[..., Any]) -> None:
    stub.answer(200, ANSWER)
    with connect(stub.url, "secret", **PATIENT) as segue:
        decision = segue.decide("v", "home", context={"n": 1}, actions=[{"id": "a"}])
    assert decision == Decision("tea", {"title": "Tea"}, "d1", 0.5, "s1", None, "home.0@0", None)
    ((path, headers, body),) = stub.asked
    assert (path, headers["authorization"]) == ("/v1/decisions", "Bearer secret")
    known = {"visitor": "v", "placement": "home", "context": {"n": 1}, "actions": [{"id": "a"}]}
    assert body == known


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (HANG, {}, "timed out"),
        (503, {"detail": "not now"}, "not now"),
        (500, b"<html>", "not JSON"),
        (200, b"\xff", "not JSON"),
        (200, {"action": {}}, "not a decision's"),
        (200, [], "not a decision's"),
        (404, {"detail": "no such placement"}, "no such placement"),
        (401, {}, "401"),
    ],
)
def test_without_a_decision_the_local_default_is_shown(
    stub: Stub, connect: Callable[..., Any], status: int, body: Any, reason: str
) -> None:
    stub.answer(status, body)
    timeout_ms = 50.0 if status == HANG else 20_000.0
    whole = Decision("salt", {"title": "Salt"}, decision_id="stale", policy_version="stale")
    with connect(stub.url, timeout_ms=timeout_ms) as segue:
        shown = segue.decide("v", "home", default=whole)
        assert (shown.action_id, shown.payload, shown.decision_id) == (
            "salt",
            {"title": "Salt"},
            None,
        )
        assert shown.is_local
        assert reason in str(shown.reason)
        assert not segue.reward(shown, 1.0)
        assert not segue.activate(shown)
        with pytest.raises(SegueError, match=reason):
            segue.decide("v", "home")


def test_a_list_has_a_local_default_in_its_first_slot(
    stub: Stub, connect: Callable[..., Any]
) -> None:
    stub.answer(503, {})
    with connect(stub.url, **PATIENT) as segue:
        shown = segue.decide_list("v", "home", [{"id": "a"}, {"id": "b"}], default="tea")
    assert shown["a"].action_id == "tea"
    assert shown["b"] is None


def test_nobody_listens_and_after_five_failures_nobody_is_asked(
    connect: Callable[..., Any],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with connect(f"http://127.0.0.1:{taken.getsockname()[1]}", **PATIENT) as segue:
            reasons = [segue.decide("v", "home", default="tea").reason for _ in range(6)]
    assert all("no answer" in reason for reason in reasons[:5])
    assert reasons[5] == "the service did not answer 5 times in a row"


def test_connections_are_kept_and_made_anew_when_the_service_closed_them(stub: Stub) -> None:
    stub.answer(200, ANSWER)
    with Segue(stub.url, **PATIENT) as segue:
        for _ in range(3):
            segue.decide("v", "home")
        assert len(stub.connections) == 1
        kept = segue._transport._idle[0]
        kept.sock.shutdown(socket.SHUT_RDWR)  # as when the service restarts
        assert segue.decide("v", "home").action_id == "tea"
        assert len(stub.connections) == 2


def test_rewards_are_sent_again_with_the_same_ids_until_they_are_taken(
    stub: Stub, connect: Callable[..., Any]
) -> None:
    results = [{"status": "counted"}, {"status": "duplicate"}]
    stub.answer(503, {"detail": "disk full"}, retry_after="0")
    stub.answer(200, b"<html>a proxy</html>")
    stub.answer(200, {"results": results[:1]})
    stub.answer(200, {"results": results})
    with connect(stub.url, timeout_ms=20_000.0, interval_ms=60_000.0) as segue:
        segue.reward("d1", 1.0)
        segue.reward("d2", 1.0)
        assert segue.flush(30.0)
    batches = stub.rewards()
    assert len(batches) == 4
    assert len(set(batches[0])) == 2
    assert all(batch == batches[0] for batch in batches)


def test_many_rewards_go_in_batches_in_their_order(stub: Stub, connect: Callable[..., Any]) -> None:
    for size in (100, 100, 50):
        stub.answer(200, {"results": [{"status": "counted"}] * size})
    stub.answer(500, {})
    with connect(stub.url, timeout_ms=20_000.0, interval_ms=60_000.0) as segue:
        taken = segue._queue if isinstance(segue, Segue) else segue._client._queue
        for i in range(250):
            taken.put(Reward("d", 1.0, str(i)))
        segue.reward("d", 1.0, reward_id="249")
        taken._waiting.pop()
        assert segue.flush(30.0)
    assert [len(batch) for batch in stub.rewards()] == [100, 100, 50]
    assert [name for batch in stub.rewards() for name in batch] == [str(i) for i in range(250)]


def test_what_cannot_be_delivered_is_told(stub: Stub, connect: Callable[..., Any]) -> None:
    lost: list[tuple[str, str]] = []

    def on_lost(reward: Reward, error: SegueError) -> None:
        lost.append((reward.reward_id, type(error).__name__))

    stub.answer(403, {"detail": "lacks the scope"})
    stub.answer(HANG, {})
    options = {"timeout_ms": 1_000.0, "interval_ms": 60_000.0, "largest_queue": 2}
    segue = connect(stub.url, on_lost=on_lost, **options)
    segue.reward("d", 1.0, reward_id="refused")
    assert segue.flush(30.0)
    for name in ("a", "b", "too many"):
        segue.reward("d", 1.0, reward_id=name)
    assert lost == [("refused", "RefusedError"), ("too many", "UnreachableError")]
    segue.close(0.05)
    stub.over.set()
    assert lost[2:] == [("a", "UnreachableError"), ("b", "UnreachableError")]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_is_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        Reward("d", value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", ""])
def test_an_address_is_checked(url: str) -> None:
    with pytest.raises(ValueError, match="must be such as"):
        Segue(url)


def test_the_client_loads_nothing_of_the_service() -> None:
    heavy = ["numpy", "pydantic", "fastapi", "structlog", "httpx", "api.settings", "policy"]
    code = f"import sys, api.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_httpx_the_async_client_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx'] = None\nimport api.client\napi.client.AsyncSegue('http://x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'segue[client]'" in done.stderr
