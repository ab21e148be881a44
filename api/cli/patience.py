"""Slow clients: who does not finish a request, or does not read an answer, is let go.

Beside uvicorn, which only minds connections that are idle between two requests. Connections are
looked at once a second; requests themselves pay nothing.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Flow(Protocol):
    """How a connection's buffers stand."""

    write_paused: bool


class Cycle(Protocol):
    """One request and its answer."""

    more_body: bool
    response_complete: bool


class Transport(Protocol):
    """What can be ended."""

    def close(self) -> None:
        """End it after what is to be sent."""

    def abort(self) -> None:
        """End it at once."""


class Connection(Protocol):
    """What uvicorn keeps of a connection."""

    flow: Flow
    cycle: Cycle | None
    timeout_keep_alive_task: object | None
    transport: Transport


class _Waiting(NamedTuple):
    for_what: str
    cycle: Cycle | None
    since: float


class Patience:
    """Lets connections go that kept one state of waiting for too long.

    Args:
        seconds: How long a request may take to come in, and its answer to be read.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[int, _Waiting] = {}

    def check(self, connections: Iterable[Connection], now: float) -> int:
        """Look at all connections.

        Args:
            connections: Those that are open.
            now: Seconds, never backwards.

        Returns:
            How many were let go.
        """
        waiting, late = {}, []
        for connection in connections:
            for_what = waits_for(connection)
            if for_what is None:
                continue
            before = self._waiting.get(id(connection))
            found = _Waiting(for_what, connection.cycle, now)
            if before is not None and before[:2] == found[:2]:
                found = before
            waiting[id(connection)] = found
            if now - found.since > self._seconds:
                late.append(connection)
        self._waiting = waiting
        for connection in late:
            if waits_for(connection) == "reading":
                connection.transport.abort()  # what it does not read would never be flushed
            else:
                connection.transport.close()
        return len(late)


def waits_for(connection: Connection) -> str | None:
    """What of the client a connection waits for: `request`, `body`, `reading`; None for nothing."""
    cycle = connection.cycle
    if connection.flow is not None and connection.flow.write_paused:
        return "reading"
    if cycle is None or cycle.response_complete:
        # With its timer it is idle between two requests; without, one began and is not whole.
        return None if connection.timeout_keep_alive_task is not None else "request"
    return "body" if cycle.more_body else None
