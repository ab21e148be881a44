"""Segment's own clients post to the service as they are."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from segment.analytics import request
from segment.analytics.client import Client

from tests.api.service import configuration, running_service, stored
from tests.api.test_auth import configured

NODE = Path(__file__).parents[2] / "node"
WRITE_KEY = "segue_write"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segment")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A service with one key, which can only ingest."""
    keys = [configured("tracker", WRITE_KEY, "ingest")]
    with running_service(folder, configuration(keys=keys)) as client:
        yield str(client.base_url)
    request._session.close()  # which the library keeps open for all of its clients


def events_of(folder: Path, visitor: str) -> list[str]:
    sql = "SELECT name FROM events WHERE visitor = ? ORDER BY seq"
    return [name for (name,) in stored(folder, sql, visitor)]


@pytest.mark.parametrize("zipped", [False, True])
def test_analytics_python(address: str, folder: Path, zipped: bool) -> None:
    failed: list[Any] = []
    client = Client(
        WRITE_KEY, host=address, gzip=zipped, on_error=lambda *what: failed.append(what)
    )
    visitor = f"python-{zipped}"
    now = datetime.now(UTC)
    client.identify(visitor, {"plan": "pro"}, anonymous_id=f"{visitor}-anonymous")
    for _ in range(2):
        client.page(visitor, name="Home", message_id=f"{visitor}-twice")
    client.screen(visitor, name="Start")
    client.group(visitor, "shop")
    client.alias(f"{visitor}-before", visitor)
    order = {"order_id": visitor, "total": 12.5, "products": [{"product_id": "p", "price": 12.5}]}
    client.track(visitor, "Order Completed", order, timestamp=now)
    client.track(visitor, "An Event Of Our Own", {})
    client.flush()
    client.join()
    assert failed == []
    assert events_of(folder, visitor) == [
        "Identified",
        "Page Viewed",
        "Screen Viewed",
        "Grouped",
        "Aliased",
        "Order Completed",
    ]
    (refused,) = stored(folder, "SELECT rule FROM dead_letters WHERE body LIKE ?", f"%{visitor}%")
    assert "must be a known event name" in refused[0]


def test_analytics_python_is_told_of_a_wrong_key(address: str) -> None:
    failed: list[Any] = []
    client = Client(
        "wrong", host=address, on_error=lambda *what: failed.append(what), max_retries=0
    )
    client.page("python-wrong")
    client.flush()
    client.join()
    ((error, messages),) = failed
    assert (error.status, len(messages)) == (401, 1)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (NODE / "node_modules").exists(), reason="`npm ci --prefix tests/node` has not been run"
)
def test_analytics_node(address: str, folder: Path) -> None:
    command = ["node", "analytics.mjs", address, WRITE_KEY]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(events_of(folder, "node-user")) == [
        "Aliased",
        "Grouped",
        "Identified",
        "Order Completed",
        "Page Viewed",
        "Screen Viewed",
    ]


def test_cors_is_for_configured_sites_only(tmp_path: Path) -> None:
    settings = configuration()
    settings["service"]["cors_origins"] = ["https://shop.example"]
    settings["keys"] = [configured("browser", WRITE_KEY, "ingest")]
    with running_service(tmp_path, settings) as client:
        asked = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        for origin, status in (("https://shop.example", 200), ("https://other.example", 400)):
            leave = client.options("/v1/batch", headers={"origin": origin, **asked})
            assert leave.status_code == status
            said = leave.headers.get("access-control-allow-origin")
            assert said == (origin if status == 200 else None)
            answer = client.post("/v1/batch", json={"batch": []}, headers={"origin": origin})
            assert answer.status_code == 401
            assert answer.headers.get("access-control-allow-origin") == said
            assert "access-control-allow-credentials" not in answer.headers


def test_without_configured_sites_there_is_no_leave(service: httpx.Client) -> None:
    answer = service.post("/v1/batch", json={"batch": []}, headers={"origin": "https://x.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
