"""Run the service in this process, until it is asked to stop."""

import asyncio
import contextlib
import gc
import io
import logging
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterable, MutableMapping
from typing import Any, NoReturn, TextIO, cast

import structlog
import uvicorn

from api.app import create_app
from api.cli.patience import Connection, Patience
from api.cli.systemd import notify, passed_listener
from api.settings import Settings, SettingsError
from api.storage.base import StoreError
from api.tracing import TracingError, traced
from policy.errors import PolicyError

GRACE_SECONDS = 10
LAST_ANSWERS_SECONDS = 0.25
SWITCH_SECONDS = 0.0005
TICKS_OF_A_SECOND = 10


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; drains what it took, then saves and exits.

    Args:
        settings: The checked configuration.

    Raises:
        SystemExit: 2 when the service cannot start, with the reason.
    """
    _log_as_json()
    host, port = settings.service.host, settings.service.port
    try:
        listener = _listener(settings)
        app = traced(create_app(settings))
    except OSError as error:
        _give_up(f"{host}:{port} cannot be used: {error.strerror}; see service.port, or use --port")
    except (StoreError, PolicyError, SettingsError, TracingError) as error:
        _give_up(str(error))
    # After a flush the writer must not wait long for the interpreter: answers wait for it.
    sys.setswitchinterval(SWITCH_SECONDS)
    # uvicorn stops cleanly on these, then raises them again: being asked to stop is no failure.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: None)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config, Patience(settings.service.request_seconds)).run(sockets=[listener])


def _listener(settings: Settings) -> socket.socket:
    """The socket to listen on: systemd's, or one for the configured address."""
    passed = passed_listener()
    if passed is not None:
        settings.listening_on(*passed.getsockname()[:2])  # refused where it is open to all
        return passed
    host, port = settings.service.host, settings.service.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _give_up(reason: str) -> NoReturn:
    sys.stderr.write(f"{reason}\n")
    raise SystemExit(2)


class Server(uvicorn.Server):
    """uvicorn's server, which says where it listens, and is not kept waiting.

    Args:
        config: uvicorn's.
        patience: With clients.
    """

    def __init__(self, config: uvicorn.Config, patience: Patience) -> None:
        super().__init__(config)
        self._patience = patience

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; uvicorn's own work, and once a second a look at slow clients."""
        if counter % TICKS_OF_A_SECOND == 0:
            connections = cast("Iterable[Connection]", list(self.server_state.connections))
            self._patience.check(connections, time.monotonic())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections; with `service.port = 0` the port is known only now."""
        await super().startup(sockets)
        # What is loaded by now stays, models and visitors included: the collector need not look at
        # it again and again.
        gc.collect()
        gc.freeze()
        for server in getattr(self, "servers", []):
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                structlog.get_logger().info("listening", host=host, port=port)
        notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let those that are open end by their last answer.

        For a moment answers ask for the connection to be closed: a client that sends one request
        after the other hears it in time, where closing at once would drop what is on its way.
        """
        notify("STOPPING=1")
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        await asyncio.sleep(LAST_ANSWERS_SECONDS)
        await super().shutdown(sockets)


class Unfailing(io.TextIOBase):
    """A file for logs: one that cannot be written must not stop what wanted to log.

    Args:
        file: Where the lines go, as long as it takes them.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, or let it be."""
        with contextlib.suppress(OSError, ValueError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or let it be."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()


def where_it_failed(
    _: object, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """What failed and where, without the message: that may quote what a request held."""
    raised = event.pop("exc_info", None)
    error = sys.exc_info()[1] if raised is True else raised
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event["exception"] = type(error).__name__
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _log_as_json() -> None:
    # What the application failed at is logged by itself, once, and without values.
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.exc_info)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            where_it_failed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
