"""`segue evaluate`: the command."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.evaluate.files import LogFile
from api.cli.evaluate.policies import prepared, wanted
from api.cli.evaluate.report import json_of, overall, page_of, table_of
from api.cli.evaluate.source import Chunks
from api.cli.failing import fail, settings_of
from api.storage.base import StoreError
from api.storage.decision_log import DecisionLog
from policy.errors import PolicyError
from policy.ope.evaluate import Question, evaluate
from policy.ope.screen import OnFault

LABELS = ("segment", "day")


def evaluation(  # noqa: PLR0913, PLR0917  # one for each option
    policy: Annotated[
        list[str],
        typer.Option(help="uniform, logged, always:ACTION, a kind, or a .toml file; may repeat."),
    ],
    placement: Annotated[str | None, typer.Option(help="Of the service's log.")] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="Names the store.")] = Path(
        "segue.toml"
    ),
    log: Annotated[
        Path | None, typer.Option(help="A .csv, .parquet, .npz or .dsjson file instead.")
    ] = None,
    by: Annotated[list[str], typer.Option(help="Label to tell apart; may repeat.")] = [],  # noqa: B006  # typer's way to say "none"
    baseline: Annotated[str | None, typer.Option(help="Policy to compare with.")] = None,
    rewards: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Smallest and largest reward, for an interval that holds at any time."),
    ] = None,
    exclude: Annotated[
        bool, typer.Option("--exclude", help="Leave out rows of a file that cannot be used.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page (HTML).")] = None,
) -> None:
    """Estimate from the log what policies would have earned, and say where it cannot tell."""
    console = Console()
    try:
        on_fault: OnFault = "exclude" if exclude else "refuse"
        file = None if log is None else LogFile(log, tuple(by), on_fault)
        chunks = _chunks(placement, config, file)
        chunks, targets = prepared(chunks, [wanted(one) for one in policy])
        question = Question(targets, by=tuple(by), rewards=rewards, baseline=baseline)
        with console.status("reading the log"):
            found = evaluate(chunks, question)
    except (PolicyError, StoreError) as error:
        fail(str(error))
    console.print(table_of(found))
    for fault, n_rows in (file.screen.excluded if file else {}).items():
        console.print(f"[red]{n_rows:,} rows of the log left out: {escape(fault)}[/]")
    for result in overall(found):
        for reason in result.diagnosis.reasons:
            console.print(f"[red]{escape(result.policy)}: {escape(reason)}[/]")
    if json_file is not None:
        json_file.write_text(json.dumps(json_of(found), indent=2) + "\n", encoding="utf-8")
    if out is not None:
        title = f"Evaluation of {placement or (log.name if log else '')}"
        out.write_text(page_of(found, title), encoding="utf-8")
        console.print(f"the same as a page: {escape(str(out))}")


def _chunks(placement: str | None, config: Path, file: LogFile | None) -> Chunks:
    if (placement is None) == (file is None):
        fail("give either --placement, for the service's own log, or --log FILE")
    if file is not None:
        return file.chunks
    assert placement is not None  # noqa: S101  # as just checked
    return DecisionLog(settings_of(config).service.database, placement).chunks
