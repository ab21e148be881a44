"""Strangers, slow clients and planted secrets, against the real server on loopback."""

import hmac
import json
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import Authenticator, key_hash
from api.cli.patience import Patience
from api.cli.serve import where_it_failed
from api.problems import Problem
from api.rate import RateLimit
from api.settings import KeySettings
from tests.api.service import configuration, problem_of, running_service, stored

KEYS: dict[str, dict[str, Any]] = {
    "berlin": {"scopes": ["decide", "reward", "ingest"], "owner": "berlin"},
    "berlin-2": {"scopes": ["decide", "reward"], "owner": "berlin"},
    "paris": {"scopes": ["decide", "reward"], "owner": "paris"},
    "shop": {"scopes": ["decide", "reward", "read"]},
    "slow": {"scopes": ["decide", "read"], "per_second": 0.001},
}
SECRET = "segue_test_secret_"
PLANTED = "planted-4711@example.org"
WAIT_SECONDS = 60.0


def headers(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}{name}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("security")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[httpx.Client]:
    keys = [
        {"name": name, "sha256": key_hash(SECRET + name), **rest} for name, rest in KEYS.items()
    ]
    service = {**configuration()["service"], "request_seconds": 1.0}
    with running_service(folder, configuration(keys=keys, service=service)) as client:
        yield client
    log = (folder / "log").read_text()
    assert PLANTED not in log
    assert SECRET not in log


def decided(client: httpx.Client, name: str) -> str:
    ask = {"visitor": PLANTED, "placement": "home", "context": {"device": "mobile"}}
    answer = client.post("/v1/decisions", json=ask, headers=headers(name))
    assert answer.status_code == 200
    return str(answer.json()["decision_id"])


def test_a_reward_needs_a_key_of_the_owner_who_decided(guarded: httpx.Client) -> None:
    decisions = {name: decided(guarded, name) for name in ("berlin", "paris", "shop")}
    for name in ("berlin", "berlin-2", "paris", "shop"):
        owner = KEYS[name].get("owner", "shop")
        for decider, decision_id in decisions.items():
            for path, body in (
                (f"/v1/decisions/{decision_id}/reward", {"value": 1, "reward_id": f"{name}1"}),
                ("/v1/rewards", {"value": 1, "decision_id": decision_id, "reward_id": f"{name}2"}),
                (f"/v1/decisions/{decision_id}/activate", {}),
            ):
                answer = guarded.post(path, json=body, headers=headers(name))
                if decider == owner:
                    assert answer.status_code in (200, 409)
                else:  # as if there were none: nobody learns which ids exist
                    problem = problem_of(answer, 404, "decision_id")
                    unknown = path.replace(decision_id, "0" * 32)
                    guess = body | ({"decision_id": "0" * 32} if "decision_id" in body else {})
                    other = guarded.post(unknown, json=guess, headers=headers(name))
                    assert problem_of(other, 404)["detail"] == problem["detail"]


def test_the_owner_of_a_list_is_logged_with_each_slot(guarded: httpx.Client, folder: Path) -> None:
    ask = {"visitor": "list", "placement": "home", "slots": [{"id": "a"}, {"id": "b"}]}
    assert guarded.post("/v1/decisions", json=ask, headers=headers("paris")).status_code == 200
    rows = stored(folder, "SELECT owner FROM decisions WHERE visitor = 'list'")
    assert rows == [("paris",), ("paris",)]


def test_a_key_over_its_rate_gets_429_and_the_others_do_not(guarded: httpx.Client) -> None:
    ask = {"visitor": "v", "placement": "home"}
    first = guarded.post("/v1/decisions", json=ask, headers=headers("slow"))
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"key";q=1;w=1000'
    assert first.headers["ratelimit"] == '"key";r=0;t=1000'
    for _ in range(3):
        refused = guarded.post("/v1/decisions", json=ask, headers=headers("slow"))
        problem = problem_of(refused, 429)
        assert "keys.per_second" in problem["detail"]
        assert int(refused.headers["retry-after"]) > 0
    assert problem_of(guarded.get("/v1/policies", headers=headers("slow")), 429)
    answer = guarded.post("/v1/decisions", json=ask, headers=headers("shop"))
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers


def test_a_rate_is_a_seconds_worth_at_once_and_comes_back() -> None:
    now = [0.0]
    limit = RateLimit(5.0, lambda: now[0])
    assert [limit.take() for _ in range(5)] == [4, 3, 2, 1, 0]
    with pytest.raises(Problem) as refused:
        limit.take()
    assert refused.value.headers == {"retry-after": "1", **limit.headers(0)}
    now[0] = 0.4
    assert [limit.take() for _ in range(2)] == [1, 0]
    now[0] = 1e9
    assert limit.take() == 4


def test_every_key_is_compared_in_constant_time_whichever_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = [
        KeySettings(name=f"k{i}", sha256=key_hash(f"KEY{i}"), scopes=("read",)) for i in range(9)
    ]
    authenticator, compared = Authenticator(keys), []
    digest = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return digest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for key in ("KEY0", "KEY8"):
        assert authenticator.check([(b"authorization", b"Bearer " + key.encode())], "read")
    with pytest.raises(Problem):
        authenticator.check([(b"authorization", b"Bearer wrong")], "read")
    assert compared == [(64, 64)] * 27


def test_a_body_is_refused_by_the_length_it_claims_before_it_is_sent(guarded: httpx.Client) -> None:
    for claimed in ("100000000", "9" * 15):
        for name, status in (("shop", b" 413 "), ("unknown", b" 401 ")):
            key = f"authorization: Bearer {SECRET}{name}"
            head = f"POST /v1/decisions HTTP/1.1\r\nhost: x\r\n{key}\r\n"
            with connected(guarded) as stranger:
                stranger.sendall(f"{head}content-length: {claimed}\r\n\r\n".encode())
                assert status in stranger.recv(4096)


SLOW = {
    "nothing at all": b"",
    "half a request line": b"POST /v1/dec",
    "headers without end": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-1: ",
    "half a body": b"POST /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
    + SECRET.encode()
    + b"shop\r\ncontent-length: 100\r\n\r\n{",
}


def test_slow_clients_are_let_go_and_nobody_else_notices(guarded: httpx.Client) -> None:
    strangers = []
    for sent in SLOW.values():
        for _ in range(20):
            strangers.append(connected(guarded))
            strangers[-1].sendall(sent)
    strangers.append(connected(guarded))
    strangers[-1].sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = b""
    while b"alive" not in answer:
        answer += strangers[-1].recv(4096)
    strangers[-1].sendall(b"GET /he")  # a second request that stops
    assert decided(guarded, "shop")
    for stranger in strangers:
        with stranger:
            assert closed(stranger)
    assert decided(guarded, "shop")


def connected(client: httpx.Client) -> socket.socket:
    stranger = socket.create_connection(("127.0.0.1", client.base_url.port or 0))
    stranger.settimeout(WAIT_SECONDS)
    return stranger


def closed(stranger: socket.socket) -> bool:
    """Whether the other side ends the connection, after whatever it answers."""
    try:
        while stranger.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


class Connection:
    """As the server keeps it."""

    class _State:
        write_paused = more_body = response_complete = False

    def __init__(self, **state: bool) -> None:
        self.flow: Any = self._State()
        self.cycle: Any = self._State() if state else None
        self.timeout_keep_alive_task: object | None = None
        self.transport = self
        self.cut = False
        for name, value in state.items():
            setattr(self.flow if name == "write_paused" else self.cycle, name, value)

    def close(self) -> None:
        self.cut = True

    def abort(self) -> None:
        self.cut = True


@pytest.mark.parametrize("state", [{}, {"more_body": True}, {"write_paused": True}])
def test_patience_ends_when_one_state_lasts(state: dict[str, bool]) -> None:
    patience, connection = Patience(5.0), Connection(**state)
    assert [patience.check([connection], now) for now in (0.0, 4.0, 5.0)] == [0, 0, 0]
    connection.cycle = connection._State()  # the next request
    connection.cycle.more_body = True
    connection.flow.write_paused = False
    assert [patience.check([connection], now) for now in (6.0, 11.0)] == [0, 0]
    assert not connection.cut
    assert patience.check([connection], 11.1) == 1
    assert connection.cut


def test_who_is_idle_or_being_served_is_not_slow() -> None:
    patience, served, idle = Patience(5.0), Connection(more_body=False), Connection()
    idle.timeout_keep_alive_task = object()
    assert [patience.check([served, idle], now) for now in (0.0, 100.0)] == [0, 0]


def test_nothing_personal_and_no_secret_is_logged(guarded: httpx.Client) -> None:
    """Planted wherever a request can hold it, refused or not; the fixture looks at the log."""
    body = {"visitor": PLANTED, "placement": PLANTED, "context": {PLANTED: PLANTED}}
    event = {"userId": PLANTED, "event": PLANTED, "messageId": PLANTED}
    for name in ("berlin", "unknown"):
        sent = {**headers(name), "x-planted": PLANTED, "cookie": PLANTED}
        guarded.post("/v1/decisions", json=body, headers=sent)
        guarded.post("/v1/decisions", content=json.dumps(body)[:-1], headers=sent)
        guarded.post("/v1/track", json=event, headers=sent)
        guarded.post("/v1/batch", json={"batch": [event]}, headers=sent)
        guarded.post(f"/v1/decisions/{PLANTED}/reward", json={"value": 1}, headers=sent)
        guarded.get(f"/v1/visitors/{PLANTED}?q={PLANTED}", headers=sent)
        guarded.get(f"/{PLANTED}", headers=sent)
    with connected(guarded) as stranger:
        stranger.sendall(f"NOT-HTTP {PLANTED} {SECRET}\r\n\r\n".encode())
        closed(stranger)


def test_a_failure_is_logged_by_place_and_kind_not_by_what_it_says() -> None:
    try:
        raise KeyError(PLANTED)
    except KeyError as error:
        for raised in (error, True):
            logged = where_it_failed(None, "error", {"event": "failed", "exc_info": raised})
            assert logged["exception"] == "KeyError"
            assert logged["frames"][-1].endswith(sys._getframe().f_code.co_name)
            assert PLANTED not in str(logged)


def test_no_request_makes_the_service_call_anybody(guarded: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/{secrets.token_hex(4)}"
        action = {"id": url, "category": url, "payload": {"href": url, "$ref": url}}
        ask = {"visitor": url, "placement": "home", "actions": [action, {"id": "b"}]}
        assert guarded.post("/v1/decisions", json=ask, headers=headers("shop")).is_success
        event = {
            "anonymousId": url,
            "event": "Product Viewed",
            "properties": {"product_id": url, "url": url},
            "context": {"page": {"url": url, "referrer": url}},
        }
        assert guarded.post("/v1/track", json=event, headers=headers("berlin")).is_success
        decided(guarded, "shop")
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
