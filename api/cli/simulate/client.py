"""One service over HTTP, for many threads at once: a kept-alive connection each.

Where it stands: simulated days in as requests, the service's answers out.
"""

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30.0
OK = range(200, 300)


class ServiceError(Exception):
    """The service cannot be reached, or refused something; the message carries its own words."""


class Service:
    """A running service.

    Args:
        url: Such as `http://localhost:8080`.
        key: An API key, where the service has any.

    Raises:
        ServiceError: The URL is not of http or https.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServiceError(f"--to is {url!r:.200}: must be such as http://localhost:8080")
        self.url = url
        self._parts = parts
        self._headers = {"content-type": "application/json"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"
        self._own = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Closes every thread's connection; the next request opens a new one."""
        connections, self._all, self._own = self._all, [], threading.local()
        for connection in connections:
            connection.close()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The parsed answer.

        Raises:
            ServiceError: No answer, or one that is an error.
        """
        content = json.dumps(body).encode()
        try:
            status, answer = self._exchange(path, content)
        except (OSError, http.client.HTTPException):
            # A kept-alive connection that the service has closed meanwhile; once more on a new one.
            self._own.connection = None
            try:
                status, answer = self._exchange(path, content)
            except (OSError, http.client.HTTPException) as cause:
                raise ServiceError(f"{self.url} does not answer: {cause!r:.200}") from cause
        if status not in OK:
            raise ServiceError(f"POST {path}: {status}: {_detail(answer)}")
        return json.loads(answer)

    def _exchange(self, path: str, content: bytes) -> tuple[int, bytes]:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            secure = self._parts.scheme == "https"
            make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = make(str(self._parts.hostname), self._parts.port, timeout=TIMEOUT_S)
            self._own.connection = connection
            self._all.append(connection)
        connection.request("POST", self._parts.path.rstrip("/") + path, content, self._headers)
        response = connection.getresponse()
        return response.status, response.read()


def _detail(answer: bytes) -> str:
    try:
        problem = json.loads(answer)
    except ValueError:
        return repr(answer[:200])
    errors = problem.get("errors") if isinstance(problem, dict) else None
    return f"{problem.get('detail')} {errors or ''}".strip() if isinstance(problem, dict) else ""
