import os
import socket
import sys
from pathlib import Path

import pytest

from api.cli.demo.client import DemoError
from api.cli.demo.server import free_port, running

ANSWERING = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def test_the_server_runs_for_the_time_of_the_block_only(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", ANSWERING, str(port)]
    with running(command, port, tmp_path / "log") as process_id:
        os.kill(process_id, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_a_server_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such setting')"]
    with (
        pytest.raises(DemoError, match=r"ended with status 1:\nno such setting"),
        running(command, free_port(), tmp_path / "log"),
    ):
        pass


def test_a_port_that_somebody_else_listens_on_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(DemoError, match=f"port {port} cannot be used"),
            running(["false"], port, tmp_path / "log"),
        ):
            pass
