"""The demo's own server: a process of its own, in a folder of its own.

Where it stands: starts `segue serve` on a configuration, and stops what it started.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.cli.demo.client import DemoError

READY_SECONDS = 30.0
STOP_SECONDS = 30.0


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve_command(configuration: Path) -> list[str]:
    """The command that serves a configuration with the interpreter that runs now."""
    return [sys.executable, "-m", "api.cli.main", "serve", "--config", str(configuration)]


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    log: Path,
    ready_path: str = "/readyz",
    ready_seconds: float = READY_SECONDS,
) -> Iterator[int]:
    """Run a server for the time of a `with` block; yields its process id.

    Args:
        command: What to start.
        port: Port of the loopback interface that it will listen on.
        log: File that takes its output.
        ready_path: Path that answers 200 once the server is ready.
        ready_seconds: For which that is waited for.

    Raises:
        DemoError: The port is taken, or the server ended or did not become ready; the message has
            the end of its output.
    """
    _require_free(port)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603 - no shell; the command is ours
        try:
            _wait_until_ready(process, port, log, ready_path, ready_seconds)
            yield process.pid
        finally:
            _stop(process)


def _require_free(port: int) -> None:
    """A server of somebody else's on that port must not be taken for the one started here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(f"port {port} cannot be used: {error.strerror}") from error


def _wait_until_ready(
    process: subprocess.Popen[bytes], port: int, log: Path, ready_path: str, ready_seconds: float
) -> None:
    deadline = time.monotonic() + ready_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"the server ended with status {process.returncode}:\n{_tail(log)}")
        if _is_ready(port, ready_path):
            return
        time.sleep(0.05)
    raise DemoError(f"the server was not ready after {ready_seconds:.0f} s:\n{_tail(log)}")


def _is_ready(port: int, ready_path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", ready_path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process that was started here, and only that one."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip()
