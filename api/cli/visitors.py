"""`segue visitors`: one person's data, handed out or erased, by the service or without it."""

import asyncio
import contextlib
import sys
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from api.cli.asking import KEY, asked
from api.cli.failing import fail, settings_of
from api.settings import Settings

if TYPE_CHECKING:
    from api.loop.engine import Engine

Work = Callable[["Engine", str], Awaitable[BaseModel]]

app = typer.Typer(no_args_is_help=True, help="One person's data: export it, erase it.")
Visitor = Annotated[str, typer.Argument(help="Any id of theirs.")]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
UrlOption = Annotated[
    str | None,
    typer.Option(help=f"Of the running service, with a key in {KEY}; else its store is opened."),
]


@app.command()
def export(
    visitor: Visitor, config: ConfigOption = Path("segue.toml"), url: UrlOption = None
) -> None:
    """Print everything that is held of a person, as JSON."""
    if url is not None:
        typer.echo(asked("GET", f"{_at(url, visitor)}/export"))
    else:
        from api.routes.privacy import export as work  # noqa: PLC0415  # see `_alone`

        typer.echo(_alone(settings_of(config), work, visitor))


@app.command()
def erase(
    visitor: Visitor, config: ConfigOption = Path("segue.toml"), url: UrlOption = None
) -> None:
    """Erase a person under all of their ids, and print the receipt."""
    if url is not None:
        typer.echo(asked("DELETE", _at(url, visitor)))
    else:
        from api.routes.privacy import erase as work  # noqa: PLC0415  # see `_alone`

        typer.echo(_alone(settings_of(config), work, visitor))


def _at(url: str, visitor: str) -> str:
    return f"{url.rstrip('/')}/v1/visitors/{urllib.parse.quote(visitor, safe='')}"


def _alone(settings: Settings, work: Work, visitor: str) -> str:
    """Open the store, do the work and close it; commands that do without it start faster."""
    from api.loop.engine import Engine  # noqa: PLC0415  # as said
    from api.loop.errors import LoopError  # noqa: PLC0415
    from api.storage.base import StoreError  # noqa: PLC0415
    from policy.errors import PolicyError  # noqa: PLC0415

    async def inside() -> str:
        engine = Engine(settings)
        await engine.start()
        try:
            return (await work(engine, visitor)).model_dump_json()
        finally:
            await engine.stop()

    try:
        with contextlib.redirect_stdout(sys.stderr):  # the engine's log
            return asyncio.run(inside())
    except (StoreError, PolicyError, LoopError) as error:
        fail(f"{error}; while the service runs, give its --url")
