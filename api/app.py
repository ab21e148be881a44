"""The application: the engine with HTTP around it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api import browser
from api.auth import Authenticator
from api.hot import HotPath, to_problem
from api.loop.engine import Engine
from api.personalizer.paths import PREFIX as PERSONALIZER
from api.personalizer.problems import personalizer_body
from api.problems import MEDIA_TYPE, FieldFault, Problem, shown
from api.routes import (
    deliveries,
    health,
    insight,
    personalizer,
    policies,
    privacy,
    readings,
    segments,
)
from api.routes.answering import hot_routes
from api.routes.hot import documented, schemas
from api.settings import Settings

PREFLIGHT_SECONDS = 86_400
DESCRIPTION = """\
Events in, next best action out, reward back, policy better.
Every error is `application/problem+json` (RFC 9457).
"""


class _Documented(FastAPI):
    """FastAPI with the schemas of bodies that it does not read itself."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].update(schemas((*personalizer.SCHEMAS, *policies.BODIES)))
        return document


def create_app(settings: Settings) -> ASGIApp:
    """The service as an ASGI application; it starts and stops its engine with the lifespan.

    Args:
        settings: The checked configuration.

    Raises:
        StoreError: When the store cannot be opened.
        PolicyError: When placements contradict themselves.
    """
    engine = Engine(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.start()
        try:
            yield
        finally:
            await engine.stop()

    app = _Documented(
        title="Segue",
        version=version("segue"),
        description=DESCRIPTION,
        docs_url=None,  # those pages would load scripts from a host of somebody else's
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            Exception: _failed,
            HTTPException: _http_failed,
            RequestValidationError: _invalid,
        },
    )
    for kind in (Problem, ValueError):
        app.add_exception_handler(kind, _failed)
    app.state.engine = engine
    app.state.authenticator = Authenticator(settings.keys)
    routes = hot_routes(engine)
    theirs = personalizer.hot_routes(engine)
    max_body_bytes = settings.service.max_body_kb * 1024
    hot = HotPath(
        app,
        routes | theirs,
        app.state.authenticator,
        engine.metrics,
        max_body_bytes,
        settings.service.max_in_flight,
    )
    app.include_router(documented(hot, routes))
    app.include_router(personalizer.documented(hot, theirs))
    app.include_router(personalizer.router)
    app.include_router(privacy.router)
    app.include_router(readings.router)
    app.include_router(segments.router)
    app.include_router(insight.router)
    app.include_router(policies.router)
    app.include_router(deliveries.router)
    app.include_router(health.router)
    app.include_router(browser.router)
    return _with_cors(hot, settings.service.cors_origins)


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The service with leave for the pages of some sites to call it."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "idempotency-key"],
        expose_headers=["retry-after", "idempotency-replayed"],
        max_age=PREFLIGHT_SECONDS,
    )


async def _failed(request: Request, error: Exception) -> Response:
    return _respond(request, to_problem(error))


async def _http_failed(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    slug, detail = "http", str(getattr(error, "detail", error))
    if status == 404:
        slug, detail = "not-found", f"no such path: {shown(request.url.path)}"
    if status == 405:
        slug, detail = "method-not-allowed", f"{shown(request.method)} is not for this path"
    if status in (404, 405):
        detail += "; /openapi.json lists what there is"
    headers = getattr(error, "headers", None)
    return _respond(request, Problem(status, slug, detail, headers=headers))


async def _invalid(request: Request, error: Exception) -> Response:
    faults = [
        FieldFault(
            field=".".join(str(part) for part in item["loc"][1:]) or "body",
            value=shown(item.get("input")),
            rule=item["msg"],
        )
        for item in (error.errors() if isinstance(error, RequestValidationError) else [])
    ]
    detail = f"{faults[0].field}: {faults[0].rule}" if faults else "the request breaks a rule"
    return _respond(request, Problem(422, "invalid-request", detail, faults))


def _respond(request: Request, problem: Problem) -> Response:
    headers = dict(problem.headers or {})
    theirs = request.url.path.startswith(PERSONALIZER)
    body = personalizer_body(problem) if theirs else problem.body()
    return Response(body, problem.status, headers, MEDIA_TYPE)
