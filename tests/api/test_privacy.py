"""One person's data over HTTP and by command."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.auth import key_hash
from tests.api.service import configuration, problem_of, running_service, stored

PERSON, DEVICE = "visitor-erase/me@example.org", "device-77aa"
KEYS = {"shop": ("decide", "ingest", "reward"), "support": ("privacy",), "page": ("ingest",)}


def headers(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer segue_test_{name}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("privacy")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[httpx.Client]:
    keys = [
        {"name": name, "sha256": key_hash(f"segue_test_{name}"), "scopes": list(scopes)}
        for name, scopes in KEYS.items()
    ]
    with running_service(folder, configuration(keys=keys)) as client:
        yield client
    assert_nowhere(folder)


def assert_nowhere(folder: Path) -> None:
    for file in folder.iterdir():
        if file.name != "segue.toml":
            content = file.read_bytes()
            assert not any(name.encode() in content for name in (PERSON, DEVICE)), file.name


def visit(client: httpx.Client) -> None:
    """A device that becomes known, decides, buys, and sends something that is refused."""
    track = {"anonymousId": DEVICE, "event": "Product Viewed", "properties": {"product_id": "p"}}
    assert client.post("/v1/track", json=track, headers=headers("page")).status_code == 200
    ask = {"visitor": DEVICE, "placement": "home"}
    answer = client.post("/v1/decisions", json=ask, headers=headers("shop")).json()
    known = {"userId": PERSON, "anonymousId": DEVICE}
    client.post("/v1/identify", json=known, headers=headers("shop"))
    reward = {"value": 1, "visitor": PERSON}
    path = f"/v1/decisions/{answer['decision_id']}/reward"
    assert client.post(path, json=reward, headers=headers("shop")).json()["status"] == "counted"
    problem_of(client.post("/v1/track", json=known, headers=headers("shop")), 422)


def at(visitor: str) -> str:
    return f"/v1/visitors/{quote(visitor, safe='')}"


def test_an_export_holds_every_table_and_an_erasure_empties_it(
    guarded: httpx.Client, folder: Path
) -> None:
    visit(guarded)
    exported = guarded.get(f"{at(DEVICE)}/export", headers=headers("support")).json()
    assert exported["visitor"] == PERSON
    assert exported["ids"] == [PERSON, DEVICE]
    assert exported["profile"]["events"] == 2
    assert [event["name"] for event in exported["events"]] == ["Product Viewed", "Identified"]
    (decision,) = exported["decisions"]
    assert decision["visitor"] == DEVICE
    assert len(decision["candidates"]) == 3
    assert [reward["value"] for reward in exported["rewards"]] == [1.0]
    assert len(exported["dead_letters"]) == 1

    answer = guarded.delete(at(PERSON), headers=headers("support"))
    receipt = answer.json()
    assert answer.status_code == 200
    assert not receipt["repeated"]
    assert receipt["rows"]["events"] == 2
    assert set(receipt["models"]) <= {"home"}
    again = guarded.delete(at(DEVICE), headers=headers("support")).json()
    assert again == {**receipt, "repeated": True}
    assert_nowhere(folder)
    emptied = guarded.get(f"{at(PERSON)}/export", headers=headers("support")).json()
    assert emptied["profile"] is None
    assert not emptied["events"]
    assert stored(folder, "SELECT receipt_id FROM erasures") == [(receipt["receipt_id"],)]


def test_only_the_privacy_scope_may(guarded: httpx.Client) -> None:
    for name in ("shop", "page"):
        problem_of(guarded.get(f"{at('x')}/export", headers=headers(name)), 403)
        problem_of(guarded.delete(at("x"), headers=headers(name)), 403)
    problem_of(guarded.delete(at("x" * 201), headers=headers("support")), 422)


def segue(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli.main", "visitors", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_the_command_asks_the_running_service(guarded: httpx.Client) -> None:
    visit(guarded)
    url, key = str(guarded.base_url), "segue_test_support"
    told = segue("export", PERSON, "--url", url, SEGUE_KEY=key)
    assert json.loads(told.stdout)["ids"] == [PERSON, DEVICE]
    refused = segue("erase", PERSON, "--url", url, SEGUE_KEY="wrong")
    assert refused.returncode == 2
    assert "401" in refused.stderr
    assert "wrong" not in refused.stderr
    receipt: dict[str, Any] = json.loads(segue("erase", PERSON, "--url", url, SEGUE_KEY=key).stdout)
    assert receipt["rows"]["events"] == 2


def test_the_command_opens_the_store_of_a_service_that_does_not_run(
    guarded: httpx.Client, folder: Path, tmp_path: Path
) -> None:
    busy = segue("erase", PERSON, "--config", str(folder / "segue.toml"))
    assert busy.returncode == 2
    assert "--url" in busy.stderr
    with running_service(tmp_path, configuration()) as client:
        visit(client)
    told = segue("erase", DEVICE, "--config", str(tmp_path / "segue.toml"))
    assert json.loads(told.stdout)["rows"]["decisions"] == 1
    assert_nowhere(tmp_path)
