"""Traces of requests by OpenTelemetry, where its SDK is installed and told where to send them.

Around the application: one span a request, child of the caller's (`traceparent`), with method,
route and status. Starlette's own middleware notes paths and addresses too, in which people are
named; here they never are. Without `OTEL_EXPORTER_OTLP_ENDPOINT` no SDK is imported, and nothing is
in the way.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
DISABLED = "OTEL_SDK_DISABLED"
FAILED = 500


class TracingError(RuntimeError):
    """Traces were asked for and cannot be made; the message says what helps."""


def traced(app: ASGIApp, environment: Mapping[str, str] = os.environ) -> ASGIApp:
    """The application with traces, where the environment asks for them.

    Args:
        app: The application.
        environment: OpenTelemetry's own variables; also `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`
            and the like hold.

    Raises:
        TracingError: They are asked for, and the packages are not installed.
    """
    wanted = any(environment.get(name) for name in ENDPOINTS)
    if not wanted or environment.get(DISABLED, "").lower() == "true":
        return app
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise TracingError(
            f"{ENDPOINTS[0]} is set, and OpenTelemetry is not installed: "
            "pip install 'segue[otel]', or unset it"
        ) from None
    name = environment.get("OTEL_SERVICE_NAME", "segue")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traced(app, provider.get_tracer("segue"))


class Traced:
    """ASGI: a span around each request.

    Args:
        app: The application.
        tracer: Makes the spans.
    """

    def __init__(self, app: ASGIApp, tracer: "Tracer") -> None:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415  # an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self.app = app
        self._tracer = tracer
        self._kind = SpanKind.SERVER
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        method = scope["method"]
        with self._tracer.start_as_current_span(
            method, self._propagator.extract(told), self._kind
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _describe(span, scope, message["status"])
                await send(message)

            await self.app(scope, receive, noted)


def _describe(span: "Span", scope: Scope, status: int) -> None:
    """The route's path, which names nobody, rather than the request's."""
    method, route = scope["method"], getattr(scope.get("route"), "path", None)
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", status)
    if route is not None:
        span.set_attribute("http.route", route)
        span.update_name(f"{method} {route}")
    if status >= FAILED:
        span.set_attribute("error.type", str(status))
