"""HTTP with nothing but the standard library: kept-alive connections, one deadline a request."""

import http.client
import ssl
import time
from collections import deque
from urllib.parse import urlsplit

from api.client.errors import UnreachableError
from api.client.wire import Answer

MOST_IDLE = 8
MOST_BYTES = 16 * 1024 * 1024


class Transport:
    """Posts JSON to one service; safe to use from several threads.

    Args:
        url: Of the service, `http` or `https`.
        headers: Of every request.

    Raises:
        ValueError: The address is none.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {url!r}: must be such as https://segue.example.com")
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._headers = headers
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=MOST_IDLE)

    def post(self, path: str, body: bytes, timeout_s: float) -> Answer:
        """Send a request and read its answer.

        Args:
            path: Such as `/v1/decisions`.
            body: JSON.
            timeout_s: For all of it, in seconds.

        Raises:
            UnreachableError: No answer in time.
        """
        deadline = time.monotonic() + timeout_s
        connection = self._kept()
        if connection is not None:
            try:
                return self._exchange(connection, path, body, deadline)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                pass  # the service closed it while it was idle: it saw nothing of this request
            except (OSError, http.client.HTTPException) as error:
                raise UnreachableError(_said(error)) from None
        try:
            return self._exchange(self._new(deadline), path, body, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(_said(error)) from None

    def close(self) -> None:
        """Close what is kept alive."""
        while (connection := self._kept()) is not None:
            connection.close()

    def _exchange(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, deadline: float
    ) -> Answer:
        try:
            _limit(connection, deadline)
            connection.request("POST", self._prefix + path, body, self._headers)
            _limit(connection, deadline)
            response = connection.getresponse()
            _limit(connection, deadline)
            read = response.read(MOST_BYTES)
        except BaseException:
            connection.close()
            raise
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._idle.append(connection)
        return Answer(response.status, read, response.headers.get("retry-after"))

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new(self, deadline: float) -> http.client.HTTPConnection:
        timeout_s = _left(deadline)
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout_s, context=self._tls
        )


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    connection.timeout = _left(deadline)
    if connection.sock is not None:
        connection.sock.settimeout(connection.timeout)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _said(error: Exception) -> str:
    return f"no answer: {error or type(error).__name__}"
