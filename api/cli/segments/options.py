"""What the commands of `segue segments` share: their options, and how they say things."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.failing import fail, settings_of
from api.cli.segments.source import Source
from api.storage.base import StoreError
from policy.errors import ConditionError
from segments.errors import SegmentsError

console = Console()

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Names the store.")]
SourceOption = Annotated[
    Path | None, typer.Option(help="A store's file, or visitors in a .parquet, instead.")
]
FitOption = Annotated[
    str | None, typer.Option("--fit", help="Number of a fit, or its file; else the newest.")
]
TargetOption = Annotated[
    str | None,
    typer.Option(help="Of a .parquet: the column of cents that visitors went on to spend."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything drawn.")]
OutcomeOption = Annotated[
    int | None, typer.Option(min=1, help="Judge by what was spent in the last so many days.")
]
CONFIG = Path("segue.toml")


def source_of(config: Path, source: Path | None, target: str | None = None) -> Source:
    """The file that is named, else the store of the configuration."""
    if source is None:
        source = settings_of(config).service.database
    return Source(source, target)


@contextmanager
def told() -> Iterator[None]:
    """Ends a command with what went wrong."""
    try:
        yield
    except (StoreError, SegmentsError, ConditionError) as error:
        fail(str(error))


def say(*sentences: str) -> None:
    """Prints sentences as they are, however wide the terminal."""
    for sentence in sentences:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
