"""`segue demo`: the main job on real input, from the command line to the printed table.

Where it stands: the typer application mounts `demo`; `session.py` does the work.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.demo.client import DemoError
from api.cli.demo.results import as_json, check_books
from api.cli.demo.server import free_port
from api.cli.demo.session import run
from simulator.replay.baskets import ReplayError


def demo(
    households: Annotated[
        str, typer.Option(help='How many households to replay, at least 2, or "all" of them.')
    ] = "300",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the numbers to this file.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of parquet tables to read instead of the installed package's."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the demo's server; 0 takes a free one.")
    ] = 0,
) -> None:
    """Replay a year of real households against a real server and print what it learned."""
    console = Console()
    try:
        if json_file is not None and not json_file.absolute().parent.is_dir():
            raise DemoError(f"--json is {json_file}; its folder does not exist")
        report = run(console, parse_households(households), data, port or free_port())
        if json_file is not None:
            json_file.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
            console.print(f"The same as data: {json_file}", highlight=False)
        check_books(report.books)
    except (DemoError, ReplayError, OSError) as error:
        Console(stderr=True).print(
            f"segue demo: {error}", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(1) from error


def parse_households(text: str) -> int | None:
    """The number of households to draw, None for all.

    Raises:
        DemoError: Neither "all" nor a whole number of at least 2.
    """
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 2:
        raise DemoError(f'--households is {text!r}; it must be "all" or a whole number from 2 on')
    return int(text)
