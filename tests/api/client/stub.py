"""A server that answers as it is told, to see what the client makes of it."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = 0
"""As a status: no answer at all."""


class Stub:
    """What is answered next, and what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: deque[tuple[int, dict[str, str], Any]] = deque()
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.connections: set[Any] = set()
        self.over = threading.Event()

    def answer(self, status: int, body: Any, **headers: str) -> None:
        """Queue an answer; the last one is given again and again."""
        self.answers.append((status, headers, body))

    def rewards(self) -> list[list[str]]:
        """Reward ids of each batch that came in."""
        return [[each["reward_id"] for each in body["rewards"]] for _, _, body in self.asked]


@contextmanager
def stub_server() -> Iterator[Stub]:
    """A `Stub` that listens."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            stub.asked.append((self.path, headers, body))
            stub.connections.add(self.client_address)
            last = len(stub.answers) == 1
            status, more, answer = stub.answers[0] if last else stub.answers.popleft()
            if status == HANG:
                stub.over.wait(30)
                self.close_connection = True
                return
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            for name, value in more.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
