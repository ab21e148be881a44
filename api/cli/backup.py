"""`segue backup` and `segue restore`: the store as one file, and back."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from api.cli.failing import fail, settings_of
from api.storage.backup import Contents, back_up
from api.storage.base import StoreError
from api.storage.restore import Restored, restore

NICENESS = 10
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Names the store.")]


def backup_store(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    config: ConfigOption = Path("segue.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Copy the store into one file, also while the service runs, and check the copy."""
    store = settings_of(config).service.database
    os.nice(NICENESS)  # decisions come first
    started = time.monotonic()
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("copying", total=None)
            found = back_up(
                store,
                file,
                force=force,
                progress=lambda done, of: progress.update(task, completed=done, total=of),
            )
    except StoreError as error:
        fail(str(error))
    typer.echo(f"{file}: {_sized(found)}, checked, in {time.monotonic() - started:.1f} s")
    typer.echo(_told(found))


def restore_store(
    file: Annotated[Path, typer.Argument(help="A file that `segue backup` wrote.")],
    config: ConfigOption = Path("segue.toml"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the store; it is kept beside.")
    ] = False,
) -> None:
    """Put a backup in the place of the store; the service must be stopped."""
    store = settings_of(config).service.database
    try:
        restored = restore(file, store, force=force)
    except StoreError as error:
        fail(str(error))
    typer.echo(f"{store}: {_sized(restored.contents)}, checked")
    typer.echo(_told(restored.contents))
    _warn(restored)


def _warn(restored: Restored) -> None:
    if restored.kept is not None:
        typer.echo(f"the store that was there is kept as {restored.kept}")
    if restored.erased_since:
        receipts = ", ".join(restored.erased_since)
        Console(stderr=True).print(
            f"[yellow]{len(restored.erased_since)} erasures came after this backup, and those "
            f"people are in it again: erase them again (receipts {escape(receipts)})[/]",
            soft_wrap=True,
        )


def _sized(found: Contents) -> str:
    return f"{found.n_bytes / 2**20:,.1f} MB"


def _told(found: Contents) -> str:
    log = ", ".join(f"{found.rows[table]:,} {table}" for table in found.through)
    others = ", ".join(
        f"{count:,} {table}" for table, count in found.rows.items() if table not in found.through
    )
    return f"{log}; {others}"
