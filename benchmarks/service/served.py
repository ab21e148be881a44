"""A service on a core of its own, for the length of a measurement.

Where it stands: under the parts of `benchmarks.service`; the load comes from the other core.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.cli.demo.server import free_port, running, serve_command
from benchmarks.http_workload import render_configuration
from benchmarks.load import Load
from benchmarks.quiet import pinned, without_collector

SERVER, LOADER = 0, 1
READY_SECONDS = 300.0
DEADLINE_MS = 10_000


@dataclass(frozen=True, slots=True)
class Served:
    """A running server.

    Args:
        port: Of the loopback interface.
        pid: Of its process.
        folder: With its configuration and its store.
    """

    port: int
    pid: int
    folder: Path

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.folder / "segue.db"

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it took until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Its resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def n_descriptors(self) -> int:
        """Its open file descriptors."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextlib.contextmanager
def served(
    folder: Path, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Served]:
    """Run the service of the HTTP benchmark, and give the load generator the other core.

    Its deadline is long: on a machine with other work what is slow is to show in the latencies,
    and not to be answered by default.

    Args:
        folder: An empty folder, or one with a store in it.
        environment: Variables of the process.
        settings: Of `[service]`, besides the port.
    """
    settings = {"deadline_ms": DEADLINE_MS, **settings}
    port = free_port()
    text = render_configuration(port)
    given = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    path = folder / "segue.toml"
    path.write_text(text.replace("[service]\n", f"[service]\n{given}"), encoding="utf-8")
    with run_server(serve_command(path), port, folder, environment) as server:
        yield server


@contextlib.contextmanager
def run_server(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Run any server that listens on the port, and give the load generator the other core."""
    if environment:
        command = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
    with contextlib.ExitStack() as stack:
        with pinned(SERVER):
            pid = stack.enter_context(
                running(command, port, folder / "server.log", ready_seconds=READY_SECONDS)
            )
        stack.enter_context(pinned(LOADER))
        stack.enter_context(without_collector())
        yield Served(port, pid, folder)


def lost(server: Served, *loads: Load) -> int:
    """Requests that failed, decisions answered by default, and acknowledged ones not in the log."""
    answers = [json.loads(body) for load in loads for body in load.bodies]
    ids = {answer["decision_id"] for answer in answers}
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        logged = {row[0] for row in connection.execute("SELECT decision_id FROM decisions")}
    defaults = sum(answer["default"] for answer in answers)
    return sum(len(load.failures) for load in loads) + defaults + len(ids - logged - {None})
