"""What passes between the service and systemd: the socket to listen on, and how it goes.

In front of `api.cli.serve`. With a socket of systemd, connections wait while the service restarts,
and none is refused; told when it is ready, systemd starts what comes after it only then.
"""

import contextlib
import os
import socket

FIRST_DESCRIPTOR = 3


def passed_listener() -> socket.socket | None:
    """The listening socket that systemd opened; None where it opened none.

    Raises:
        OSError: Several were passed, or it is none that connections come in by.

    References:
        sd_listen_fds(3).
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = int(os.environ.get("LISTEN_FDS", "0"))
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)  # they are not for processes that are started from here
    if not count:
        return None
    if count > 1:
        raise OSError(0, f"{count} sockets were passed, and it listens on one")
    listener = socket.socket(fileno=FIRST_DESCRIPTOR)
    listener.set_inheritable(False)
    if listener.type != socket.SOCK_STREAM or listener.family not in (
        socket.AF_INET,
        socket.AF_INET6,
    ):
        raise OSError(0, "the socket that was passed is not one of TCP (ListenStream=)")
    return listener


def notify(state: str) -> None:
    """Tell systemd, where it listens.

    Args:
        state: Such as `READY=1`.

    References:
        sd_notify(3).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told,
    ):
        told.sendto(state.encode(), address)
