"""`segue visitors`: one person's data, handed out or erased, by the service or without it."""

import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.failing import settings_of
from api.cli.remote import UrlOption, alone, asked

if TYPE_CHECKING:
    from api.loop.engine import Engine

app = typer.Typer(no_args_is_help=True, help="One person's data: export it, erase it.")
Visitor = Annotated[str, typer.Argument(help="Any id of theirs.")]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command()
def export(
    visitor: Visitor, config: ConfigOption = Path("segue.toml"), url: UrlOption = None
) -> None:
    """Print everything that is held of a person, as JSON."""
    if url is not None:
        typer.echo(asked("GET", f"{_at(url, visitor)}/export"))
        return

    async def work(engine: "Engine") -> str:
        from api.routes.privacy import export  # noqa: PLC0415  # see `alone`

        return (await export(engine, visitor)).model_dump_json()

    typer.echo(alone(settings_of(config), work))


@app.command()
def erase(
    visitor: Visitor, config: ConfigOption = Path("segue.toml"), url: UrlOption = None
) -> None:
    """Erase a person under all of their ids, and print the receipt."""
    if url is not None:
        typer.echo(asked("DELETE", _at(url, visitor)))
        return

    async def work(engine: "Engine") -> str:
        from api.routes.privacy import erase  # noqa: PLC0415  # as above

        return (await erase(engine, visitor)).model_dump_json()

    typer.echo(alone(settings_of(config), work))


def _at(url: str, visitor: str) -> str:
    return f"{url.rstrip('/')}/v1/visitors/{urllib.parse.quote(visitor, safe='')}"
