"""Commands that ask a running service, or open its store where none runs."""

import asyncio
import contextlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.failing import fail
from api.settings import Settings

if TYPE_CHECKING:
    from api.loop.engine import Engine

T = TypeVar("T")
KEY = "SEGUE_KEY"
SECONDS = 600.0

UrlOption = Annotated[
    str | None,
    typer.Option(help=f"Of the running service, with a key in {KEY}; else its store is opened."),
]


def asked(method: str, url: str, body: str | None = None) -> str:
    """What the service answers, as text; see `fetched`."""
    return fetched(method, url, body).decode()


def fetched(method: str, url: str, body: str | None = None) -> bytes:
    """What the service answers; ends the command with the reason where it refuses.

    Args:
        method: Of HTTP.
        url: With the path.
        body: JSON to send.
    """
    if not url.startswith(("http://", "https://")):
        fail(f"url is {url!r:.80}: must begin with http:// or https://")
    headers = {
        "authorization": f"Bearer {os.environ.get(KEY, '')}",
        "content-type": "application/json",
    }
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # checked
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # checked
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        fail(f"{error.code}: {_detail(error.read())}")
    except OSError as error:
        fail(f"{url.partition('/v1/')[0]} does not answer: {error}")


def alone(settings: Settings, work: "Callable[[Engine], Awaitable[T]]") -> T:
    """Open the store, do the work and close it; commands that do without it start faster."""
    from api.loop.engine import Engine  # noqa: PLC0415  # as said
    from api.loop.errors import LoopError  # noqa: PLC0415
    from api.storage.base import StoreError  # noqa: PLC0415
    from policy.errors import PolicyError  # noqa: PLC0415

    async def inside() -> T:
        engine = Engine(settings)
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    try:
        with contextlib.redirect_stdout(sys.stderr):  # the engine's log
            return asyncio.run(inside())
    except (StoreError, PolicyError, LoopError) as error:
        fail(f"{error}; while the service runs, give its --url")


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return body[:200].decode(errors="replace")
