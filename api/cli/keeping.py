"""`segue backup`, `restore` and `doctor`: the store kept safe, and looked at."""

import shutil
import sqlite3
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.failing import fail, settings_of
from api.settings import Settings
from api.storage.backup import Contents, back_up, check
from api.storage.backup import restore as put_back
from api.storage.base import StoreError
from api.storage.outbox_log import deliveries
from api.storage.sqlite import lock_store

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Names the store.")]
RESET_FIXED = (3, 51, 3)
LEAST_FREE = 1.0
"""Free space, as a share of the store: a VACUUM after an erasure needs as much again."""


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; must not exist.")],
    config: ConfigOption = Path("segue.toml"),
) -> None:
    """Copy the store into a file, also while the service runs, and check the copy."""
    try:
        contents = back_up(settings_of(config).service.database, target)
    except StoreError as error:
        fail(str(error))
    typer.echo(f"{target}: {described(contents)}")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `segue backup` wrote.")],
    config: ConfigOption = Path("segue.toml"),
    replace: Annotated[
        bool, typer.Option("--replace", help="There is a store; keep it beside, as `.replaced`.")
    ] = False,
) -> None:
    """Put a backup in the place of the store, while the service does not run."""
    database = settings_of(config).service.database
    try:
        contents = put_back(source, database, replace=replace)
    except StoreError as error:
        fail(str(error))
    typer.echo(f"{database}: {described(contents)}")


def doctor(config: ConfigOption = Path("segue.toml")) -> None:
    """Look the installation and the store over; ends with 1 where something is wrong."""
    console = Console()
    settings = settings_of(config)
    findings = [*_of_sqlite(), *_of_store(settings), *_of_endpoints(settings)]
    for is_fine, text in findings:
        mark = "[green]ok[/]  " if is_fine else "[red]look[/]"
        console.print(f"{mark} {escape(text)}", soft_wrap=True)
    if not all(is_fine for is_fine, _ in findings):
        raise typer.Exit(1)


def described(contents: Contents) -> str:
    """A store in a line."""
    rows = ", ".join(f"{n_rows} {table}" for table, n_rows in contents.rows.items())
    return f"{rows}; {contents.n_bytes / 1e6:.1f} MB"


def _of_sqlite() -> list[tuple[bool, str]]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= RESET_FIXED:
        return [(True, f"SQLite {version}")]
    rule = "let only the service write to the store (others may read)"
    return [(True, f"SQLite {version}, older than 3.51.3: {rule}")]


def _of_store(settings: Settings) -> list[tuple[bool, str]]:
    database = settings.service.database
    if not database.exists():
        return [(True, f"{database} is not there yet: the first start makes it")]
    found = [_of_lock(database)]
    try:
        contents = check(database)
    except StoreError as error:
        return [*found, (False, str(error))]
    found.append((True, f"{database}: {described(contents)}; every page was read"))
    free = shutil.disk_usage(database.parent).free
    enough = free >= LEAST_FREE * contents.n_bytes
    found.append((enough, f"{free / 1e9:.1f} GB free beside it"))
    letters = contents.rows["dead_letters"]
    if letters:
        found.append((True, f"{letters} messages were refused: see the table dead_letters"))
    return found


def _of_lock(database: Path) -> tuple[bool, str]:
    try:
        lock_store(database.with_name(database.name + ".lock")).close()
    except StoreError:
        return True, "a service is running on it"
    return True, "no service is running on it"


def _of_endpoints(settings: Settings) -> list[tuple[bool, str]]:
    if not settings.webhook_endpoints or not settings.service.database.exists():
        return []
    try:
        n_dead = len(deliveries(settings.service.database, "dead", 1_000))
    except StoreError:  # said already
        return []
    if n_dead:
        return [(False, f"{n_dead} webhooks are dead: segue webhooks list --status dead")]
    return [(True, "no webhook is dead")]
