"""Run the service in this process, until it is asked to stop."""

import contextlib
import gc
import io
import logging
import signal
import socket
import sys
from typing import NoReturn, TextIO, cast

import structlog
import uvicorn

from api.app import create_app
from api.settings import Settings
from api.storage.base import StoreError
from policy.errors import PolicyError

GRACE_SECONDS = 10
SWITCH_SECONDS = 0.0005


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
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        app = create_app(settings)
    except OSError as error:
        _give_up(f"{host}:{port} cannot be used: {error.strerror}; see service.port, or use --port")
    except (StoreError, PolicyError) as error:
        _give_up(str(error))
    # After a flush the writer must not wait long for the interpreter: answers wait for it.
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
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
    Server(config).run(sockets=[listener])


def _give_up(reason: str) -> NoReturn:
    sys.stderr.write(f"{reason}\n")
    raise SystemExit(2)


class Server(uvicorn.Server):
    """uvicorn's server, which says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections; with `service.port = 0` the port is known only now."""
        await super().startup(sockets)
        for server in getattr(self, "servers", []):
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                structlog.get_logger().info("listening", host=host, port=port)


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


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
