"""Run the service in this process, until it is asked to stop."""

import gc
import logging
import signal
import socket
import sys

import structlog
import uvicorn
from threadpoolctl import threadpool_limits

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
    try:
        app = create_app(settings)
    except (StoreError, PolicyError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    # A decision's products are too small to share between threads: waiting for them costs more.
    threadpool_limits(1)
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
        host=settings.service.host,
        port=settings.service.port,
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
    Server(config).run()


class Server(uvicorn.Server):
    """uvicorn's server, which says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port; with `service.port = 0` only now it is known."""
        await super().startup(sockets)
        for server in getattr(self, "servers", []):
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                structlog.get_logger().info("listening", host=host, port=port)


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
