"""`segue experiment`: policies × worlds × seeds on twins, and a report.

Where it stands: the command line in, `simulator.experiment` does the work, files out.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.shards.base import ShardError
from api.shards.local import cores
from api.shards.where import HELP, WORKERS_HELP, opened
from simulator.errors import SimulatorError
from simulator.experiment.report import write_report
from simulator.experiment.run import Plan, run


def experiment(  # noqa: PLR0913, PLR0917  # one for each option
    policies: Annotated[
        str,
        typer.Option(
            help="Comma-separated, the first is compared with: nothing, random, always:ACTION, "
            "bandit:KIND, MODEL.zip."
        ),
    ] = "nothing,random,bandit:linucb",
    scenarios: Annotated[str, typer.Option(help="Comma-separated worlds.")] = "steady",
    seeds: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 3,
    shoppers: Annotated[int, typer.Option(min=2, help="In each cell.")] = 500,
    days: Annotated[int | None, typer.Option(min=1, help="Instead of the worlds' horizon.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report and of finished cells.")] = Path(
        "experiment"
    ),
    on: Annotated[str, typer.Option(help=HELP)] = "local",
    workers: Annotated[int, typer.Option(min=0, max=1_024, help=WORKERS_HELP)] = 0,
) -> None:
    """Compare policies on simulated shoppers. Killed and called again, it goes on."""
    console = Console()
    try:
        plan = Plan(_words(policies), _words(scenarios), tuple(range(seeds)), shoppers, days)
        cells = len(plan.cells())
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeRemainingColumn())  # fmt: skip
        processes = min(workers or cores(), cells)
        with (
            opened(on, processes) as map_shards,
            Progress(*columns, console=console) as progress,
        ):
            task = progress.add_task("cells", total=cells)
            results = run(
                plan, out, map_cells=map_shards, on_cell=lambda _: progress.advance(task),
            )  # fmt: skip
        for path in write_report(plan, results, out):
            console.print(f"wrote {path}", highlight=False)
    except (SimulatorError, ShardError, OSError) as error:
        Console(stderr=True).print(
            f"segue experiment: {error}", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(1) from error


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
