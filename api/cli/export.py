"""`segue export`: a placement's log, or its model, as a file that others read."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.evaluate.source import Source, of_placement
from api.cli.evaluate.work import Progressing
from api.cli.failing import fail, settings_of
from api.loop.rules import timezone_of
from api.storage.base import StoreError
from api.storage.reading import reading
from api.storage.records import LATEST_MODEL
from policy.errors import PolicyError
from policy.ope.formats.csv_log import write_csv
from policy.ope.formats.dsjson import write_dsjson
from policy.ope.formats.obp import write_npz
from policy.ope.formats.parquet import write_parquet
from policy.ope.slices import joined

app = typer.Typer(no_args_is_help=True, help="A placement's log or model, as a file.")
Placement = Annotated[str, typer.Option(help="Of the service's log.")]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Names the store.")]

WRITERS: Mapping[str, Callable[[Path, Source], None]] = {
    ".csv": lambda path, source: write_csv(path, source.chunks(), source.context_names),
    ".parquet": lambda path, source: write_parquet(path, source.chunks(), source.context_names),
    ".npz": lambda path, source: write_npz(path, joined(source.chunks())),
    ".dsjson": lambda path, source: write_dsjson(
        path, source.chunks(), source.context_names, renumber=True
    ),
}


@app.command()
def log(
    placement: Placement,
    out: Annotated[Path, typer.Option(help=f"Ends in {', '.join(WRITERS)}.")],
    config: ConfigOption = Path("segue.toml"),
) -> None:
    """Write the settled decisions of a placement, as evaluation reads them."""
    console = Console()
    if out.suffix not in WRITERS:
        fail(f"--out is {out}: must end in {', '.join(WRITERS)}")
    settings = settings_of(config)
    try:
        source = of_placement(settings.service.database, placement, timezone_of(settings))
        with Progressing(console) as progress:
            watched = progress.watched(source.chunks, str(out))
            WRITERS[out.suffix](out, source._replace(chunks=watched))
            n_rows = progress.lengths[str(out)]
    except (PolicyError, StoreError, OSError) as error:
        fail(str(error))
    console.print(f"{n_rows:,} decisions of {escape(placement)}: {escape(str(out))}")


@app.command()
def model(
    placement: Placement,
    out: Annotated[Path, typer.Option(help="A .zip file.")],
    config: ConfigOption = Path("segue.toml"),
) -> None:
    """Write the latest saved model of the policy that decides, as `segue evaluate` takes it."""
    try:
        with reading(settings_of(config).service.database) as connection:
            row, data = _latest(connection, placement)
        out.write_bytes(data)
    except (StoreError, OSError) as error:
        fail(str(error))
    Console().print(f"learned up to row {row} of the rewards: {escape(str(out))}")


def _latest(connection: sqlite3.Connection, placement: str) -> tuple[int, bytes]:
    """Of the policy that decides now."""
    found: tuple[int, bytes] | None = connection.execute(LATEST_MODEL, (placement,)).fetchone()
    if found is None:
        names = connection.execute("SELECT DISTINCT placement FROM models ORDER BY 1")
        known = ", ".join(name for (name,) in names) or "none"
        raise StoreError(f"no saved model of placement {placement!r}; there are those of: {known}")
    return found
