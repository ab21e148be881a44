"""Decisions while something else goes on: a refit, snapshots, a backup, reports.

Where it stands: a part of `benchmarks.service`. Each disturbance goes on for as long as the load
does, and happens at least once; the quiet load before it has the same rate and length.
"""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from api.cli.demo.client import Client
from api.cli.demo.connection import run_loop
from benchmarks.http_workload import PLACEMENT, make_known, make_requests
from benchmarks.load import Load, closed_loop, open_loop
from benchmarks.service.served import Served, lost, served

N_CONNECTIONS = 32
PER_SECOND = 500
SNAPSHOT_SECONDS = 0.5
NICENESS = "10"

Disturbance = Callable[[Served], Awaitable[None]]
"""Something that is done once; it is repeated."""


@dataclass(frozen=True, slots=True)
class Disturbed:
    """One row.

    Args:
        name: Of what went on.
        p99_ms: Meanwhile.
        quiet_p99_ms: Just before.
        n_times: How often it was done.
    """

    name: str
    p99_ms: float
    quiet_p99_ms: float
    n_times: int


def measure(seconds: float) -> tuple[list[Disturbed], int]:
    """Every disturbance, and how many requests were lost in all."""
    rows, n_lost = [], 0
    for name, work in DISTURBANCES.items():
        with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
            often = {"snapshot_seconds": SNAPSHOT_SECONDS} if name == "snapshots" else {}
            row, missed = _one(name, work, Path(folder), seconds, often)
        rows.append(row)
        n_lost += missed
    return rows, n_lost


def _one(
    name: str, work: Disturbance, folder: Path, seconds: float, settings: dict[str, float]
) -> tuple[Disturbed, int]:
    with served(folder, **settings) as server:
        requests = make_requests(server.port)
        warm_up = run_loop(closed_loop(server.port, requests, N_CONNECTIONS, 1.0))
        run_loop(make_known(server.port, []))
        quiet = run_loop(_paced(server, requests, seconds))
        load, n_times = run_loop(_beside(server, requests, seconds, work))
    missed = lost(server, warm_up, quiet, load)
    return Disturbed(name, load.latency_ms(99), quiet.latency_ms(99), n_times), missed


async def _paced(server: Served, requests: list[bytes], seconds: float) -> Load:
    return await open_loop(server.port, requests, N_CONNECTIONS, PER_SECOND, seconds)


async def _beside(
    server: Served, requests: list[bytes], seconds: float, work: Disturbance
) -> tuple[Load, int]:
    n_times = 0

    async def repeat() -> None:
        nonlocal n_times
        while True:
            await work(server)
            n_times += 1

    task = asyncio.ensure_future(repeat())
    load = Load()
    try:
        while not n_times or not load.bodies:
            load.add(await _paced(server, requests, seconds))
            if task.done():
                task.result()  # it failed: say so
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return load, n_times


@contextlib.asynccontextmanager
async def _client(server: Served) -> AsyncIterator[Client]:
    client = await Client.open("127.0.0.1", server.port, 1)
    try:
        yield client
    finally:
        client.close()


async def _refit(server: Served) -> None:
    async with _client(server) as client:
        await client.call("POST", "/v1/segments/refit")
        while (await client.call("GET", "/v1/segments"))["fitting"]:  # noqa: ASYNC110  # over HTTP
            await asyncio.sleep(0.05)


async def _snapshot(_: Served) -> None:
    """The service does it by itself, with this setting."""
    await asyncio.sleep(SNAPSHOT_SECONDS)


async def _backup(server: Served) -> None:
    target = str(server.folder / "backup.db")
    await _command("backup", target, "--force", "--config", str(server.folder / "segue.toml"))


async def _report(server: Served) -> None:
    async with _client(server) as client:
        for path in (f"/v1/placements/{PLACEMENT}/actions", "/v1/segments", "/v1/policies"):
            await client.call("GET", path)
    await asyncio.sleep(0.05)


async def _command(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", NICENESS, sys.executable, "-m", "api.cli.main", *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if await process.wait():
            raise RuntimeError(f"segue {arguments[0]} ended with {process.returncode}")
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


DISTURBANCES: dict[str, Disturbance] = {
    "refits": _refit,
    "snapshots": _snapshot,
    "backups": _backup,
    "reports": _report,
}
