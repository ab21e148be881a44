"""`Idempotency-Key`: what is sent twice is done once, over real HTTP, restarts and crashes."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth import key_hash
from api.idempotency import key_of, keyed_request
from api.loop.engine import Engine
from api.problems import Problem
from api.schemas.decision import DecisionRequest, SlotRequest
from api.storage.base import RepeatedRequestError, StoreUnavailableError
from api.storage.writer import GroupCommitWriter
from api.worker.retention import DAY_US
from tests.api.loop.test_engine import run, settings
from tests.api.loop.test_erase import configured as configured_with_caps
from tests.api.service import configuration, problem_of, running_service, stored
from tests.api.test_overload import Gate, recovered, within
from tests.api.worker.test_retention import Later

SECRET = "segue_test_"
ASK = {"visitor": "twice", "placement": "home"}
SLOTS = {**ASK, "slots": [{"id": "a"}, {"id": "b"}]}
VIEWED = {"event": "Product Viewed", "userId": "twice", "properties": {"product_id": "p"}}
TABLES = ("decisions", "rewards", "events", "dead_letters", "answers")


def under(key: str, **more: str) -> dict[str, str]:
    return {"idempotency-key": f'"{key}"', **more}


def counts(folder: Path) -> dict[str, int]:
    return {table: stored(folder, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def requests(decision_id: str) -> dict[str, dict[str, Any]]:
    reward = {"decision_id": decision_id, "value": 0.5}
    message = {"userId": "twice"}
    return {
        "/v1/decisions": ASK,
        "/v1/rewards": {**reward, "reward_id": "r1"},
        "/v1/rewards/batch": {"rewards": [{**reward, "reward_id": "r2"}, {"value": 1}]},
        f"/v1/decisions/{decision_id}/reward": {"value": 0.25},
        f"/v1/decisions/{decision_id}/activate": {},
        "/v1/batch": {"batch": [{"type": "track", **VIEWED}] * 3 + [{"type": "no"}]},
        "/v1/track": VIEWED,
        "/v1/identify": message,
        "/v1/page": message,
        "/v1/screen": message,
        "/v1/group": message,
        "/v1/alias": {**message, "previousId": "before"},
    }


def test_every_route_answers_a_repeat_as_before_and_keeps_nothing_of_it(
    service: httpx.Client, service_folder: Path
) -> None:
    decision_id = service.post("/v1/decisions", json=ASK).json()["decision_id"]
    for path, body in requests(decision_id).items():
        headers = under(f"route {path}")
        first = service.post(path, json=body, headers=headers)
        assert first.status_code == 200, first.text
        assert "idempotency-replayed" not in first.headers
        before = counts(service_folder)
        for _ in range(2):
            repeat = service.post(path, json=body, headers=headers)
            assert (repeat.status_code, repeat.content) == (200, first.content)
            assert repeat.headers["idempotency-replayed"] == "true"
            assert repeat.headers["content-type"] == "application/json"
        other = service.post(path, content=json.dumps({**body, "x": 1}), headers=headers)
        assert other.status_code in (409, 422)  # refused by its schema, or for its key
        assert counts(service_folder) == before


def test_a_list_is_one_request_as_well(service: httpx.Client, service_folder: Path) -> None:
    first, again = (
        service.post("/v1/decisions", json=SLOTS, headers=under("list")) for _ in range(2)
    )
    assert first.content == again.content
    list_id = first.json()["list_id"]
    sql = "SELECT count(*) FROM decisions WHERE list_id = ?"
    assert stored(service_folder, sql, list_id) == [(2,)]


def test_a_key_with_another_body_is_a_409_and_changes_nothing(
    service: httpx.Client, service_folder: Path
) -> None:
    decision_id = service.post("/v1/decisions", json=ASK).json()["decision_id"]
    others = {
        "/v1/decisions": (ASK, SLOTS),
        "/v1/rewards": ({"decision_id": decision_id, "value": 1}, {"decision_id": "d", "value": 2}),
        "/v1/rewards/batch": ({"rewards": []}, {"rewards": [{"decision_id": "d", "value": 1}]}),
        "/v1/track": (VIEWED, {**VIEWED, "userId": "else"}),
        "/v1/batch": ({"batch": []}, {"batch": [{"type": "page", "userId": "twice"}] * 250}),
    }
    for path, (body, other) in others.items():
        headers = under(f"other body {path}")
        assert service.post(path, json=body, headers=headers).status_code == 200
        before = counts(service_folder)
        refused = service.post(path, json=other, headers=headers)
        problem = problem_of(refused, 409, "Idempotency-Key")
        assert problem["type"] == "urn:segue:problem:idempotency-key-reused"
        assert counts(service_folder) == before
    path = f"/v1/decisions/{decision_id}/activate"  # what the path names is part of it
    assert service.post(path, headers=under("path")).status_code == 200
    another = service.post("/v1/decisions", json=ASK).json()["decision_id"]
    problem_of(service.post(f"/v1/decisions/{another}/activate", headers=under("path")), 409)


def test_duplicates_at_the_same_time_are_one(service: httpx.Client, service_folder: Path) -> None:
    before = counts(service_folder)

    def ask(_: int) -> bytes:
        return service.post("/v1/decisions", json=ASK, headers=under("at once")).content

    with ThreadPoolExecutor(12) as pool:
        answers = set(pool.map(ask, range(24)))
    assert len(answers) == 1
    after = counts(service_folder)
    assert after["decisions"] == before["decisions"] + 1
    assert after["answers"] == before["answers"] + 1


def test_a_refusal_is_not_remembered(service: httpx.Client) -> None:
    body = {"decision_id": "0" * 32, "value": 1}
    for _ in range(2):
        answer = service.post("/v1/rewards", json=body, headers=under("refused"))
        problem_of(answer, 404, "decision_id")
    decision_id = service.post("/v1/decisions", json=ASK).json()["decision_id"]
    body = {"decision_id": decision_id, "value": 1}
    answer = service.post("/v1/rewards", json=body, headers=under("refused"))
    assert answer.json()["status"] == "counted"


@pytest.mark.parametrize("value", ["", '""', '"', "a b", '"a', 'a"', '"é"', "x" * 256, '"a", "b"'])
def test_what_is_no_key_is_a_400(service: httpx.Client, value: str) -> None:
    headers = [(b"idempotency-key", value.encode())]
    answer = service.post("/v1/decisions", json=ASK, headers=headers)
    problem_of(answer, 400, "Idempotency-Key")


def test_two_keys_are_none(service: httpx.Client) -> None:
    headers = [(b"idempotency-key", b'"a"'), (b"idempotency-key", b'"b"')]
    problem_of(service.post("/v1/decisions", json=ASK, headers=headers), 400)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_a_quoted_string_is_its_content(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert key_of(f'"{escaped}"') == key


@given(st.text(max_size=300))
def test_any_header_is_a_key_or_a_problem(value: str) -> None:
    with contextlib.suppress(Problem):
        assert 0 < len(key_of(value)) <= 255


PARTS = st.lists(st.text(max_size=20), min_size=5, max_size=5)


@given(PARTS, PARTS)
def test_requests_have_one_name_only_where_owner_route_and_key_are_one(
    one: list[str], other: list[str]
) -> None:
    names = [
        keyed_request(f'"{key.encode().hex()}0"', owner, route, about, body.encode(), 0)
        for owner, route, key, about, body in (one, other)
    ]
    assert (names[0].name == names[1].name) == (one[:3] == other[:3])
    assert (names[0].fingerprint == names[1].fingerprint) == (one[3:] == other[3:])


@pytest.fixture
def owners(tmp_path: Path) -> Iterator[httpx.Client]:
    keys = [
        {"name": name, "sha256": key_hash(SECRET + name), "scopes": ["decide"], "owner": owner}
        for name, owner in (("berlin", "berlin"), ("berlin-2", "berlin"), ("paris", "paris"))
    ]
    with running_service(tmp_path, configuration(keys=keys)) as client:
        yield client


def test_a_key_belongs_to_an_owner_and_outlives_a_rotation(owners: httpx.Client) -> None:
    answers = {
        name: owners.post(
            "/v1/decisions",
            json=ASK,
            headers=under("same", authorization=f"Bearer {SECRET}{name}"),
        ).json()["decision_id"]
        for name in ("berlin", "berlin-2", "paris")
    }
    assert answers["berlin"] == answers["berlin-2"] != answers["paris"]


def test_answers_survive_a_restart(tmp_path: Path) -> None:
    told = []
    for _ in range(2):
        with running_service(tmp_path, configuration()) as client:
            answer = client.post("/v1/decisions", json=ASK, headers=under("restart"))
            told.append((answer.content, answer.headers.get("idempotency-replayed")))
    assert told == [(told[0][0], None), (told[0][0], "true")]


def test_a_batch_that_broke_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages have no ids of their own, and only the first hundred were kept."""
    batch = [{"type": "track", **VIEWED}] * 250
    body = json.dumps(batch).encode()

    async def work(engine: Engine) -> None:
        once = keyed_request('"b"', None, "/v1/batch", "", body, engine.clock.now_us())
        append = engine.store.append_events
        n_written = []

        def breaks(*arguments: Any) -> Any:
            n_written.append(arguments)
            if len(n_written) == 2:
                raise StoreUnavailableError("disk full")
            return append(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(engine.store, "append_events", breaks)
            with pytest.raises(StoreUnavailableError):
                await engine.intake.batch(batch, None, 100, once)
        appended, _ = await engine.intake.batch(batch, None, 100, once)
        assert appended.seqs.count(None) == 100
        assert len(engine.store.events_after(0, 1000)) == 250

    run(settings(tmp_path), work)


@pytest.mark.parametrize("slots", [None, [{"id": "a"}]])
def test_a_decision_that_was_given_up_lets_its_key_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: Any
) -> None:
    gate = Gate(monkeypatch, at_commit=True)
    body = {**ASK, "slots": slots}

    async def work(service: Any) -> None:
        async def ask() -> dict[str, Any]:
            answer = await service._client.post("/v1/decisions", json=body, headers=under("gone"))
            told: dict[str, Any] = answer.json()
            return told

        with gate.shut():
            given_up = await ask()
            assert given_up["list_id" if slots else "decision_id"] is None
            again = asyncio.create_task(ask())  # waits behind it
            await asyncio.sleep(0)
        await recovered(service)
        await again
        kept = (await ask())["list_id" if slots else "decision_id"]
        name = "list_id" if slots else "decision_id"
        assert stored(tmp_path, f"SELECT count(*) FROM decisions WHERE {name} = ?", kept) == [(1,)]

    within(tmp_path, work, deadline_ms=20)


def test_a_repeat_counts_for_no_cap_and_holds_no_unit(tmp_path: Path) -> None:
    """It chose again before the log knew it: what it chose is let go."""

    async def work(engine: Engine) -> None:
        async def ask(slots: Any) -> Any:
            once = keyed_request('"c"', None, f"{slots}", "", b"", engine.clock.now_us())
            request = DecisionRequest(visitor="ann", placement="home", slots=slots)
            if slots is None:
                return await engine.decider.decide(request, None, once)
            return await engine.lists.decide(request, None, once)

        for slots in (None, [SlotRequest(id="a")]):
            await ask(slots)
            before = engine.shown.of("ann").times_us
            for _ in range(3):
                with pytest.raises(RepeatedRequestError):
                    await ask(slots)
            assert engine.shown.of("ann").times_us == before
            assert not engine.shown.exposures._pending
        assert engine.shown.breaker.state == "closed"

    run(configured_with_caps(tmp_path), work)


def test_answers_go_after_their_days(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        now_us = engine.clock.now_us()
        for number, age in enumerate((8, 6)):
            at_us = now_us - age * DAY_US
            once = keyed_request(f'"{number}"', None, "/v1/track", "", b"", at_us)
            await engine.intake.one(VIEWED, "track", 100, once)
        assert await engine.retention.run_once() == {"answers": 1, "outbox": 0}
        engine.retention._clock = Later(2)
        assert await engine.retention.run_once() == {"answers": 1, "outbox": 0}

    run(settings(tmp_path), work)


def test_without_a_key_nothing_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision stays one row for the writer to insert together with others."""

    async def work(service: Any) -> None:
        monkeypatch.setattr(GroupCommitWriter, "call", None)
        assert (await service.decide()).json()["decision_id"]
        monkeypatch.undo()

    within(tmp_path, work)
