"""Builders of configurations, and the real server as a child process."""

import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS = 60
STOP_SECONDS = 30
PROBLEM = "application/problem+json"


def configuration(**changes: Any) -> dict[str, Any]:
    """A small valid configuration; each keyword replaces a top-level key of it."""
    return {
        # Tests run beside others: the disk may keep a decision waiting longer than a page would.
        "service": {"max_body_kb": 2048, "durability": "crash", "deadline_ms": 30_000},
        "actions": [
            {
                "id": "tea",
                "category": "Tea",
                "brand": "Oolong & Sons",
                "features": {"discount": 0.1},
                "payload": {"title": "Tea for you", "tags": ["hot", "new"]},
            },
            {"id": "salt", "kind": "offer", "category": "Salt", "features": {"discount": 0.3}},
            {"id": "beef", "category": "Beef"},
        ],
        "placements": [
            {
                "name": "home",
                "actions": ["tea", "salt", "beef"],
                "default": "tea",
                "context": {"device": ["mobile", "desktop"], "basket": "number"},
                "policy": {"kind": "linucb", "alpha": 0.5},
                "reward": {"match": "category", "window_minutes": 60},
            }
        ],
        **changes,
    }


def placement(**changes: Any) -> dict[str, Any]:
    """The placement of `configuration`, changed."""
    return {**configuration()["placements"][0], **changes}


def toml(value: object) -> str:
    """A value as TOML on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def write_configuration(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a `segue.toml` into the folder."""
    path = folder / "segue.toml"
    lines = [f"{key} = {toml(value)}\n" for key, value in settings.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@contextmanager
def running_service(folder: Path, settings: Mapping[str, Any]) -> Iterator[httpx.Client]:
    """The real server on a free port of the loopback interface; must end well when asked to.

    Its store is `segue.db` in the folder, its output `log`.
    """
    port = _free_port()
    path = write_configuration(folder, settings)
    command = [sys.executable, "-m", "api.cli.main", "serve", "--config", str(path)]
    command += ["--port", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEGUE_")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait_until_ready(client, process, folder)
            yield client
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0, (folder / "log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def stored(folder: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of the store of a service, also while it runs."""
    with closing(sqlite3.connect(f"file:{folder / 'segue.db'}?mode=ro", uri=True)) as store:
        return store.execute(sql, parameters).fetchall()


def problem_of(response: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """The body of a problem, after checking that it has the one shape that all have.

    With `field`, that field is the first at fault.
    """
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == PROBLEM
    body: dict[str, Any] = response.json()
    theirs = response.request.url.path.startswith("/personalizer/")
    error = ["error"] if theirs else []  # which Personalizer's clients take apart
    assert list(body) == ["type", "title", "status", "detail", "errors", *error]
    assert body["type"].startswith("urn:segue:problem:")
    assert body["status"] == status
    assert body["title"]
    assert 0 < len(body["detail"]) <= 1000
    for fault in body["errors"]:
        assert list(fault) == ["field", "value", "rule"]
        assert all(isinstance(text, str) for text in fault.values())
        assert 0 < len(fault["field"]) <= 80
        assert len(fault["value"]) <= 80
        assert 0 < len(fault["rule"]) <= 1000
    if field is not None:
        assert body["errors"][0]["field"] == field
    return body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
