"""`segue doctor`: looks at everything that makes a service reliable, and says what helps."""

import json
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.doctor.finding import Finding, worst
from api.cli.doctor.keys import check_keys
from api.cli.doctor.machine import check_disk, check_port, check_process, check_versions
from api.cli.doctor.store import check_store
from api.configuration import load_settings
from api.loop.placement import build_placements
from api.settings import Settings, SettingsError
from policy.errors import PolicyError

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path(
        "segue.toml"
    ),
    full: Annotated[bool, typer.Option("--full", help="Check every index of the store.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check configuration, keys, machine and store; ends with 1 where something fails."""
    findings = examine(config, full=full)
    if as_json:
        checks = [asdict(finding) for finding in findings]
        typer.echo(json.dumps({"status": worst(findings), "checks": checks}, indent=2))
    else:
        _print(findings)
    raise typer.Exit(1 if worst(findings) == "fail" else 0)


def examine(config: Path, *, full: bool = False) -> list[Finding]:
    """Every check that can be made; without a configuration, those that need none.

    Args:
        config: The configuration file.
        full: Read every index of the store, too.
    """
    findings = [*check_versions(), *check_process()]
    try:
        settings = load_settings(config)
        build_placements(settings)
    except (SettingsError, PolicyError) as error:
        remedy = "segue check says the same; docs/configuration.md has every setting"
        return findings + [
            Finding("configuration", "fail", line, remedy) for line in str(error).splitlines()
        ]
    return findings + list(_of_settings(config, settings, full))


def _of_settings(config: Path, settings: Settings, full: bool) -> Iterator[Finding]:
    yield _configuration(config, settings)
    yield from check_keys(settings)
    yield from check_port(settings)
    yield from check_disk(settings)
    yield from check_store(settings, full)


def _configuration(config: Path, settings: Settings) -> Finding:
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & 0o002:
        told = f"anybody on this machine can change {config} (mode {mode:o})"
        return Finding("configuration", "fail", told, f"chmod 640 {config}")
    told = f"{config}: {len(settings.placements)} placements, {len(settings.actions)} actions"
    if not settings.placements:
        return Finding("configuration", "warn", told, "without [[placements]] it decides nothing")
    return Finding("configuration", "ok", told)


def _print(findings: list[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(finding.check) for finding in findings)
    for one in findings:
        colour = COLOURS[one.status]
        line = f"[{colour}]{one.status:4}[/]  {escape(one.check):{width}}  {escape(one.message)}"
        console.print(line)
        if one.remedy:
            console.print(f"{'':{width + 8}}→ {escape(one.remedy)}")
    counts = {status: sum(one.status == status for one in findings) for status in COLOURS}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
