"""How a command that cannot go on says so."""

from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from api.configuration import load_settings
from api.settings import Settings, SettingsError


def fail(message: str) -> NoReturn:
    """Say why on the error output, and end with 2."""
    Console(stderr=True).print(f"[red]{escape(message)}[/]", soft_wrap=True)
    raise typer.Exit(2)


def settings_of(config: Path) -> Settings:
    """The checked settings of a file; ends the command where there are none."""
    try:
        return load_settings(config)
    except SettingsError as error:
        fail(str(error))
