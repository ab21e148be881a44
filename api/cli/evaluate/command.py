"""`segue evaluate`: the command."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.evaluate.files import LogFile
from api.cli.evaluate.grid import candidates_of
from api.cli.evaluate.page import page_of
from api.cli.evaluate.policies import wanted
from api.cli.evaluate.priced import PricedSource, of_priced, priced_section
from api.cli.evaluate.report import Section, json_of, overall, table_of, verdict_of, write_parquet
from api.cli.evaluate.source import Source, of_file, of_placement
from api.cli.evaluate.work import Asked, Progressing, section_of
from api.cli.failing import fail, settings_of
from api.loop.rules import timezone_of
from api.shards.base import MapShards, ShardError
from api.shards.local import cores
from api.shards.where import HELP, WORKERS_HELP, opened
from api.storage.base import StoreError
from api.storage.price_log import draws_prices
from policy.errors import PolicyError
from policy.ope.screen import OnFault

CANNOT_BE_CUT = (
    "only a --log of .parquet, without --exclude, is worked on in parts; to have one, call "
    "`segue export log`"
)


def evaluation(  # noqa: PLR0913, PLR0917  # one for each option
    policy: Annotated[
        list[str],
        typer.Option(
            help="uniform, logged, always:ACTION, price:CENTS, a kind, a model (.zip), or a .toml "
            "file; may repeat."
        ),
    ] = [],  # noqa: B006  # typer's way to say "none"
    placement: Annotated[list[str], typer.Option(help="Of the service's log; may repeat.")] = [],  # noqa: B006  # as above
    config: Annotated[Path, typer.Option("--config", "-c", help="Names the store.")] = Path(
        "segue.toml"
    ),
    log: Annotated[
        Path | None, typer.Option(help="A .csv, .parquet, .npz or .dsjson file instead.")
    ] = None,
    by: Annotated[list[str], typer.Option(help="Label to tell apart; may repeat.")] = [],  # noqa: B006  # as above
    baseline: Annotated[str | None, typer.Option(help="Policy to compare with.")] = None,
    rewards: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Smallest and largest reward, for an interval that holds at any time."),
    ] = None,
    curves: Annotated[
        bool, typer.Option("--curves", help="Learning curves of the policies that learn.")
    ] = False,
    search: Annotated[
        Path | None, typer.Option(help="TOML of configurations to find the best one of.")
    ] = None,
    exclude: Annotated[
        bool, typer.Option("--exclude", help="Leave out rows of a file that cannot be used.")
    ] = False,
    estimate_propensities: Annotated[
        bool,
        typer.Option(
            "--estimate-propensities",
            help="Of a file that has none, from its context: right only if that holds all that the "
            "choices depended on.",
        ),
    ] = False,
    on: Annotated[str, typer.Option(help=f"{HELP} Of a .parquet log.")] = "local",
    workers: Annotated[int, typer.Option(min=0, max=1_024, help=WORKERS_HELP)] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write all estimates.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page (HTML).")] = None,
) -> None:
    """Estimate from the log what policies would have earned, and say where it cannot tell."""
    console = Console()
    if not policy and search is None:
        fail("nothing to evaluate: give --policy, or --search FILE")
    try:
        on_fault: OnFault = "exclude" if exclude else "refuse"
        if estimate_propensities and log is None:
            fail("--estimate-propensities is of a --log FILE: the service logs every propensity")
        file = None if log is None else LogFile(log, tuple(by), on_fault, estimate_propensities)
        asked = Asked(
            tuple(wanted(one) for one in policy),
            by=tuple(by) or (("segment", "day") if out is not None and file is None else ()),
            baseline=baseline,
            rewards=rewards,
            curves=curves,
            candidates=() if search is None else tuple(candidates_of(search)),
            overlaps=out is not None or json_file is not None,
        )
        with Progressing(console) as progress:
            sources = _sources(placement, config, file)
            n_shards = max(
                (len(one.shards) for one in sources if isinstance(one, Source)), default=0
            )
            backend = opened(on, min(workers or cores(), max(n_shards, 1)))
            if on != "local" and not n_shards:
                fail(f"--on {on}: {CANNOT_BE_CUT}")
            with backend as map_shards:
                sections = [_section(one, asked, progress, map_shards) for one in sources]
        for section in sections:
            _tell(console, section, asked)
        for fault, n_rows in (file.screen.excluded if file else {}).items():
            console.print(f"[red]{n_rows:,} rows of the log left out: {escape(fault)}[/]")
        _write(console, sections, json_file, parquet, out)
    except (PolicyError, StoreError, ShardError) as error:
        fail(str(error))


def _section(
    source: Source | PricedSource, asked: Asked, progress: Progressing, map_shards: MapShards
) -> Section:
    if isinstance(source, Source):
        return section_of(source, asked, progress, map_shards)
    if asked.rewards or asked.curves or asked.candidates:
        fail(
            f"{source.name} draws prices out of a range: --rewards, --curves and --search are of "
            "choices among actions; leave them out"
        )
    watched = partial(progress.watched, what=f"{source.name}: reading")
    return priced_section(source, asked.policies, asked.by, asked.baseline, watched)


def _sources(
    placements: list[str], config: Path, file: LogFile | None
) -> list[Source | PricedSource]:
    if bool(placements) == (file is not None):
        fail("give either --placement, for the service's own log, or --log FILE")
    if file is not None:
        return [of_file(file)]
    settings = settings_of(config)
    timezone = timezone_of(settings)
    database = settings.service.database
    return [
        (of_priced if draws_prices(database, name) else of_placement)(database, name, timezone)
        for name in placements
    ]


def _tell(console: Console, section: Section, asked: Asked) -> None:
    for presumed in section.evaluation.warnings:
        console.print(f"[bold red]{escape(section.name)}: {escape(presumed)}[/]")
    if asked.policies:
        console.print(table_of(section))
    for result in overall(section.evaluation):
        for reason in result.diagnosis.reasons:
            console.print(f"[red]{escape(result.policy)}: {escape(reason)}[/]")
    for warning in section.warnings:
        console.print(f"[red]{escape(warning)}[/]")
    if section.searched is not None:
        console.print(f"[bold]{escape(section.name)}[/]: {escape(verdict_of(section.searched))}")


def _write(
    console: Console,
    sections: list[Section],
    json_file: Path | None,
    parquet: Path | None,
    out: Path | None,
) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(json_of(sections), indent=2) + "\n", encoding="utf-8")
    if parquet is not None:
        write_parquet(parquet, sections)
    if out is not None:
        title = f"Evaluation of {', '.join(section.name for section in sections)}"
        out.write_text(page_of(sections, title), encoding="utf-8")
        console.print(f"the same as a page: {escape(str(out))}")
