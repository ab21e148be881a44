"""Stopping and restarting under load: nothing is dropped half-way, with a passed socket nothing."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from api.cli.systemd import notify, passed_listener
from api.configuration import load_settings
from api.settings import SettingsError
from tests.api.service import stored
from tests.api.test_crash import check_folds, configure, free_port, service, wait_until_ready

SERVE = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.dup2({fd}, 3); "
SERVE += "os.set_inheritable(3, True); os.execv(sys.executable, [sys.executable, *{arguments}])"


class Shopper(threading.Thread):
    """Decides again and again on a kept connection, until that is refused or it is to end."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.answered: list[str] = []
        self.failure: Exception | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        body = json.dumps({"visitor": "ann", "placement": "home"})
        try:
            while not self.ended.is_set():
                self.connection.request("POST", "/v1/decisions", body)
                answer = json.loads(self.connection.getresponse().read())
                self.answered.append(answer["decision_id"])
        except (OSError, http.client.HTTPException) as error:
            self.failure = error
        self.connection.close()


def load(port: int) -> list[Shopper]:
    shoppers = [Shopper(port) for _ in range(4)]
    for shopper in shoppers:
        shopper.start()
    return shoppers


def logged(folder: Path) -> set[str]:
    return {row[0] for row in stored(folder, "SELECT decision_id FROM decisions")}


def test_sigterm_drops_no_request_that_was_sent(tmp_path: Path) -> None:
    """Who has a connection is told to close it with an answer; only new connections are refused."""
    port = free_port()
    configure(tmp_path, port)
    with service(tmp_path, port) as process:
        shoppers = load(port)
        while not all(shopper.answered for shopper in shoppers):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for shopper in shoppers:
            shopper.join()
        assert process.wait(timeout=30) == 0
    assert [type(shopper.failure) for shopper in shoppers] == [ConnectionRefusedError] * 4
    assert logged(tmp_path) == {one for shopper in shoppers for one in shopper.answered}


def serving(folder: Path, listener: socket.socket) -> subprocess.Popen[bytes]:
    """The service on a socket that somebody else listens on, as systemd starts it."""
    arguments = ["-m", "api.cli.main", "serve", "--config", str(folder / "segue.toml")]
    code = SERVE.format(fd=listener.fileno(), arguments=arguments)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stderr=log,
            pass_fds=[listener.fileno()],
            env={**os.environ, "LISTEN_FDS": "1"},
        )


@pytest.mark.slow
def test_a_restart_on_a_passed_socket_refuses_and_loses_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        configure(tmp_path, 1)
        process = serving(tmp_path, listener)
        wait_until_ready(process, port, tmp_path)
        shoppers = load(port)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, (tmp_path / "log").read_text()[-4000:]
        process = serving(tmp_path, listener)
        wait_until_ready(process, port, tmp_path)
        for shopper in shoppers:
            shopper.ended.set()
            shopper.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert [shopper.failure for shopper in shoppers] == [None] * 4
    assert logged(tmp_path) == {one for shopper in shoppers for one in shopper.answered}
    check_folds(tmp_path)


def test_a_socket_for_another_process_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert passed_listener() is None
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    with pytest.raises(OSError, match="2 sockets"):
        passed_listener()
    assert "LISTEN_PID" not in os.environ


def test_a_passed_socket_that_is_open_to_all_needs_keys(tmp_path: Path) -> None:
    configure(tmp_path, 1)
    with pytest.raises(SettingsError, match="without"):
        load_settings(tmp_path / "segue.toml").listening_on("0.0.0.0", 8080)
    with socket.create_server(("0.0.0.0", 0)) as listener:
        process = serving(tmp_path, listener)
        assert process.wait(timeout=60) == 2
    assert "without [[keys]]" in (tmp_path / "log").read_text()


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert told.recv(100) == b"READY=1"
    notify("STOPPING=1")  # nobody listens any more: no failure
