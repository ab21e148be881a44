"""A receiver of webhooks on loopback, which answers what it is told to."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.api.webhooks.senders import NEW

WAIT_SECONDS = 60.0


class Server(ThreadingHTTPServer):
    """One that takes several connections at once, as any real one does."""

    request_queue_size = 128


@dataclass
class Receiver:
    """What came in, and what is answered: one status after the other, the last one for ever."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?shop=1"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Note a request, and what the real client makes of it as it comes in."""
        try:
            told = Webhook(NEW).verify(body, headers)
        except Exception as error:
            told = error
        with self.came:
            self.told.append(told)
            self.requests.append((headers, body))
            self.came.notify_all()
            return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def wait_for(self, n_requests: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.requests) >= n_requests, WAIT_SECONDS)

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """The payloads, after the real client checked each."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.requests]

    def ids(self) -> Sequence[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@contextmanager
def receiving(location: str = "") -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take({**headers, ":path": self.path}, body))
            if location:
                self.send_header("location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
