"""The short way from bytes to bytes, for the routes that pages wait for.

FastAPI's per-request machinery costs more than a decision. These routes are answered in front of
it, by a plain ASGI callable: key checked, body read to a bound, validated by pydantic's compiled
parser, answered. FastAPI still documents them (`api.routes`), and serves everything else.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import structlog
from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import ANONYMOUS, Authenticator
from api.encoding import CONTENT_ENCODING, decoded, too_large
from api.idempotency import HEADER as KEY_HEADER
from api.idempotency import REPLAYED, reused
from api.loop.errors import LoopError
from api.loop.metrics import Metrics
from api.personalizer.paths import PREFIX as PERSONALIZER
from api.personalizer.paths import canonical
from api.problems import MEDIA_TYPE, Problem, of_event, of_loop, of_validation
from api.settings import Scope as KeyScope
from api.storage.base import OverloadedError, RepeatedRequestError, StoreUnavailableError
from segments.event import EventError

log = structlog.get_logger()

JSON = "application/json"
JSON_TYPE = (b"content-type", JSON.encode())

OWNER, IDEMPOTENCY_KEY = "owner", "idempotency-key"
INGEST_SHARE = 4
NO_ROUTE = "none"
MOST_PARAMETERS = 100

Handler = Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class HotRoute:
    """One route: what it is called, who may use it, what answers it.

    Args:
        path: With at most one `{name}`, which the handler is given.
        scope: That the key must have.
        handler: From body and parameters to the answer's JSON. The parameters are those of the
            path, under `OWNER` whose key it is, unless it is the shop's own, and under
            `IDEMPOTENCY_KEY` that header, where it came with one.
        status: Of a good answer; 204 has no body.
        problem: How a refusal is written.
        takes: Names of headers that the handler is given among the parameters.
        signed: The handler checks a signature; no API key is asked for.
        key_parameter: Part of the query that may carry the API key.
    """

    path: str
    scope: KeyScope
    handler: Handler
    status: int = 200
    problem: Callable[[Problem], bytes] = Problem.body
    takes: tuple[str, ...] = ()
    signed: bool = False
    key_parameter: str | None = None


class Answer(NamedTuple):
    """A finished answer."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] | None = None


class HotPath:
    """ASGI: answers the hot routes itself and hands everything else on.

    Args:
        app: The FastAPI application.
        routes: POST routes.
        authenticator: Checks keys.
        metrics: Counts answers and their time.
        max_body_bytes: Largest body that is read.
        max_in_flight: Requests of a kind that are answered at once; more are refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Mapping[str, HotRoute],
        authenticator: Authenticator,
        metrics: Metrics,
        max_body_bytes: int,
        max_in_flight: int = 512,
    ) -> None:
        self.app = app
        self._exact = {path: route for path, route in routes.items() if "{" not in path}
        self._templates = [_template(route) for path, route in routes.items() if "{" in path]
        self._authenticator = authenticator
        self._max_body_bytes = max_body_bytes
        self._max_in_flight = max_in_flight
        self._n_in_flight = metrics.in_flight
        self._count = metrics.answers.count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] == "http" and scope["path"].startswith(PERSONALIZER):
            scope = {**scope, "path": canonical(scope["path"])}
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._hand_on(scope, receive, send)
            return
        route, parameters = found
        scope["route"] = route  # for who is around
        query = scope.get("query_string", b"")
        answer = await self.answer(route, parameters, scope["headers"], receive, query)
        headers = [JSON_TYPE, (b"content-length", b"%d" % len(answer.body))]
        if answer.status == 204:
            headers = []
        elif answer.media_type is not JSON:
            headers[0] = (b"content-type", answer.media_type.encode())
        if answer.headers:
            headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let FastAPI answer; counted under the path of the route that it found."""
        started = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", NO_ROUTE)
                self._count(path, message["status"], time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, counted)

    async def answer(
        self,
        route: HotRoute,
        parameters: Mapping[str, str],
        headers: Any,
        receive: Receive,
        query: bytes = b"",
    ) -> Answer:
        """Check, read, handle; every failure becomes a problem."""
        started = rates = None
        self._n_in_flight[route.scope] += 1
        try:
            self._check_load(route.scope)
            caller = ANONYMOUS
            if not route.signed:
                presented = headers
                if route.key_parameter is not None:
                    presented = _with_key(headers, query, route.key_parameter)
                caller = self._authenticator.caller(presented, route.scope)
                rates = caller.headers
            if route.takes:
                parameters = {**parameters, **_named(headers, route.takes)}
            if caller.owner:
                parameters = {**parameters, OWNER: caller.owner}
            key, coding = self._look_through(headers)
            if key is not None:
                parameters = {**parameters, IDEMPOTENCY_KEY: key}
            body = await self._read(receive)
            if coding is not None:
                body = decoded(body, coding, self._max_body_bytes)
            started = time.perf_counter()
            answer = Answer(route.status, await route.handler(body, parameters), headers=rates)
        except RepeatedRequestError as error:
            answer = self._again(route, error, rates or {})
        except Exception as error:
            problem = to_problem(error)
            told = problem.headers if rates is None else {**rates, **(problem.headers or {})}
            answer = Answer(problem.status, route.problem(problem), MEDIA_TYPE, told)
        finally:
            self._n_in_flight[route.scope] -= 1
        seconds = None if started is None else time.perf_counter() - started
        self._count(route.path, answer.status, seconds)
        return answer

    def _find(self, scope: Scope) -> tuple[HotRoute, Mapping[str, str]] | None:
        if scope["method"] != "POST":
            return None
        path = scope["path"]
        route = self._exact.get(path)
        if route is not None:
            return route, {}
        for before, name, after, template in self._templates:
            if path.startswith(before) and path.endswith(after):
                value = path[len(before) : len(path) - len(after)]
                if value and "/" not in value:
                    return template, {name: value}
        return None

    def _check_load(self, scope: KeyScope) -> None:
        """Refuse early what could only be answered late: ingestion first, which is sent again."""
        most = self._max_in_flight // INGEST_SHARE if scope == "ingest" else self._max_in_flight
        if self._n_in_flight[scope] > most:
            detail = f"{most} requests are being answered (service.max_in_flight): try again"
            raise Problem(503, "overloaded", detail, headers={"retry-after": "1"})

    def _look_through(self, headers: Any) -> tuple[str | None, bytes | None]:
        """Refuse a body by the length that it claims, before any of it is read.

        Returns:
            What `Idempotency-Key` says, and the first coding of the body; None where absent.
        """
        key = coding = None
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_body_bytes:
                raise too_large(self._max_body_bytes)
            if name == KEY_HEADER:  # one that comes twice is two strings, and refused as such
                said = value.decode("latin-1").strip()
                key = said if key is None else f"{key}, {said}"
            elif name == CONTENT_ENCODING and coding is None:
                coding = value
        return key, coding

    def _again(
        self, route: HotRoute, repeated: RepeatedRequestError, rates: Mapping[str, str]
    ) -> Answer:
        """The first answer to a request that came again, or that its key is another's."""
        if repeated.answer is not None:
            return Answer(route.status, repeated.answer, headers={**rates, **REPLAYED})
        problem = reused()
        return Answer(problem.status, route.problem(problem), MEDIA_TYPE, rates)

    async def _read(self, receive: Receive) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        chunks = [body]
        size = len(body)
        while message.get("more_body", False) and size <= self._max_body_bytes:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > self._max_body_bytes:
            raise too_large(self._max_body_bytes)
        if message["type"] == "http.disconnect":
            raise Problem(400, "disconnected", "the client went away before the body's end")
        return body if len(chunks) == 1 else b"".join(chunks)


def to_problem(error: Exception) -> Problem:
    """Any failure as the problem that the client sees; what is unexpected is logged and hidden."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return of_validation(error)
    if isinstance(error, LoopError):
        return of_loop(error)
    if isinstance(error, EventError):
        return of_event(error)
    if isinstance(error, StoreUnavailableError):
        return _of_store(error)
    log.exception("request_failed", exc_info=error)
    return Problem(500, "internal", "the service failed; the log of the service says why")


def _of_store(error: StoreUnavailableError) -> Problem:
    headers = {"retry-after": "1"}
    if isinstance(error, OverloadedError):
        return Problem(503, "overloaded", str(error), headers=headers)
    log.error("store_unavailable", error=str(error))
    detail = "the log cannot be written now and not all was kept: send it again, same ids"
    return Problem(503, "store-unavailable", detail, headers=headers)


def _with_key(headers: Any, query: bytes, parameter: str) -> Any:
    """The headers, and a key that the query carries as if it were among them."""
    try:
        given = parse_qs(query.decode("latin-1"), max_num_fields=MOST_PARAMETERS).get(parameter)
    except ValueError:  # more of them
        given = None
    if not given:
        return headers
    value = f"Bearer {given[0]}".encode("latin-1", "replace")
    return [*(pair for pair in headers if pair[0] != b"authorization"), (b"authorization", value)]


def _named(headers: Any, names: Sequence[str]) -> dict[str, str]:
    """Some headers; of one that comes twice the first, which is what was signed."""
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}
    return {name: found[name].strip() for name in names if name in found}


def _template(route: HotRoute) -> tuple[str, str, str, HotRoute]:
    before, _, rest = route.path.partition("{")
    name, _, after = rest.partition("}")
    return before, name, after, route
