"""Traces: one span a request where they are asked for, and nothing at all where not."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.configuration import parse_settings
from api.tracing import ENDPOINTS, Traced, TracingError, traced
from tests.api.service import configuration

trace = pytest.importorskip("opentelemetry.sdk.trace", reason="needs segue[otel]")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_requests_are_spans_that_name_routes_and_nobody(tmp_path: Path) -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = configuration(service={"database": str(tmp_path / "s.db"), "deadline_ms": 30_000})
    hot = create_app(parse_settings(settings))
    app = Traced(hot, provider.get_tracer("test"))

    async def work() -> None:
        engine = hot.app.state.engine
        await engine.start()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://segue") as client:
            ask = {"visitor": "ann", "placement": "home"}
            await client.post("/v1/decisions", json=ask, headers={"traceparent": PARENT})
            await client.get("/v1/visitors/ann")
        await engine.stop()

    asyncio.run(work())
    decision, visitor = exporter.get_finished_spans()
    assert decision.name == "POST /v1/decisions"
    assert decision.context.trace_id == int(PARENT.split("-")[1], 16)
    assert dict(decision.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/decisions",
    }
    assert visitor.name == "GET /v1/visitors/{visitor}"
    assert "ann" not in visitor.to_json()


def test_without_an_endpoint_nothing_is_wrapped_and_nothing_imported() -> None:
    async def app(*_: object) -> None:
        raise AssertionError

    assert traced(app, {}) is app
    assert traced(app, {ENDPOINTS[0]: "http://localhost:4318", "OTEL_SDK_DISABLED": "true"}) is app
    code = "import sys, api.cli.serve; assert 'opentelemetry.sdk' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_packages_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    async def app(*_: object) -> None:
        raise AssertionError

    with pytest.raises(TracingError, match=r"pip install 'segue\[otel\]'"):
        traced(app, {ENDPOINTS[0]: "http://localhost:4318"})
