"""Decisions where every flush takes five milliseconds, beside the endpoint that does nothing.

Where it stands: a part of `benchmarks.service`. The delay is a shim in C before the C library;
where there is no compiler nothing is measured.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from api.cli.demo.connection import run_loop
from api.cli.demo.server import free_port
from benchmarks.http import N_CONNECTIONS
from benchmarks.http_workload import make_requests
from benchmarks.load import closed_loop
from benchmarks.service.served import lost, run_server, served

FSYNC_US = 5_000
SOURCE = Path(__file__).with_name("slow_fsync.c")


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """Medians of the rounds.

    Args:
        per_second: Decisions, each durable before it is answered.
        noop_per_second: Of the endpoint that does nothing.
        n_lost: Failed, answered by default, or acknowledged and not in the log.
    """

    per_second: float
    noop_per_second: float
    n_lost: int

    @property
    def ratio(self) -> float:
        """Ours over the peer's."""
        return self.per_second / self.noop_per_second


def compiled(folder: Path) -> Path | None:
    """The shim as a library; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    library = folder / "slow_fsync.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def measure(n_rounds: int, seconds: float) -> SlowDisk | None:
    """Both servers by turns; None where the shim cannot be compiled."""
    ours, peers, n_lost = [], [], 0
    for _ in range(n_rounds):
        with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
            folder = Path(name)
            library = compiled(folder)
            if library is None:
                return None
            peers.append(_noop(folder, seconds))
            rate, missed = _ours(folder, library, seconds)
            ours.append(rate)
            n_lost += missed
    return SlowDisk(statistics.median(ours), statistics.median(peers), n_lost)


def _ours(folder: Path, library: Path, seconds: float) -> tuple[float, int]:
    environment = {"LD_PRELOAD": str(library), "SLOW_FSYNC_US": str(FSYNC_US)}
    with served(folder, environment) as server:
        requests = make_requests(server.port)
        warm_up = run_loop(closed_loop(server.port, requests, N_CONNECTIONS, seconds / 4))
        load = run_loop(closed_loop(server.port, requests, N_CONNECTIONS, seconds))
    return load.per_second, lost(server, warm_up, load)


def _noop(folder: Path, seconds: float) -> float:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.noop:app", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    with run_server(command, port, folder):
        requests = make_requests(port)
        run_loop(closed_loop(port, requests, N_CONNECTIONS, seconds / 4))
        return run_loop(closed_loop(port, requests, N_CONNECTIONS, seconds)).per_second
