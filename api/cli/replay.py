"""`segue replay`: logged decisions derived again, bit for bit."""

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

from api.cli.failing import fail, settings_of
from api.loop.rederive import Outcome
from api.loop.replays import Wanted, replay, replays, wanted
from api.storage.base import StoreError
from api.storage.reading import reading

MOST_SHOWN = 5
"""Decisions that differ, in full."""

VERDICTS = ("identical", "rounding", "different", "not derivable")
Verdicts = dict[str, Counter[str]]


def replay_decisions(  # noqa: PLR0913, PLR0917  # one for each option
    decision: Annotated[str | None, typer.Argument(help="Its id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every decision of the log.")] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many of each placement, drawn evenly.")
    ] = None,
    placement: Annotated[list[str], typer.Option(help="Only of this one; may repeat.")] = [],  # noqa: B006  # typer's way to say "none"
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    from_rewards: Annotated[
        bool, typer.Option("--from-rewards", help="Make models of rewards alone, not of snapshots.")
    ] = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="Names the store.")] = Path(
        "segue.toml"
    ),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers.")] = None,
) -> None:
    """Derive decisions again from model, request and id, and say whether they are identical."""
    if (decision is not None) + every + (sample is not None) != 1:
        fail("give either the id of a decision, or --all, or --sample N")
    console = Console()
    try:
        with (
            threadpool_limits(1),  # as the service does, so that sums come out the same
            reading(settings_of(config).service.database) as connection,
            _bar(console) as bar,
        ):
            if decision is not None:
                outcomes = [_one(connection, decision, bar, from_rewards)]
                verdicts = _counted(outcomes)
            else:
                chosen = wanted(connection, placement, sample, seed)
                verdicts, outcomes = _many(connection, chosen, bar, from_rewards)
    except StoreError as error:
        fail(str(error))
    if decision is None:
        console.print(table_of(verdicts))
    for outcome in outcomes[:MOST_SHOWN]:
        _tell(console, outcome)
    if json_file is not None:
        written = json.dumps(json_of(verdicts, outcomes), indent=2)
        json_file.write_text(written + "\n", encoding="utf-8")
    if any(set(counted) - {"identical"} for counted in verdicts.values()):
        raise typer.Exit(1)


def _one(
    connection: sqlite3.Connection, decision_id: str, bar: Progress, from_rewards: bool
) -> Outcome:
    task = bar.add_task("rewards learned", total=None)
    outcome = replay(
        connection, decision_id, lambda n: bar.advance(task, n), from_rewards=from_rewards
    )
    bar.remove_task(task)
    if outcome is None:
        fail(f"{decision_id}: no such decision in the log; it may have been erased, or too old")
    return outcome


def _many(
    connection: sqlite3.Connection, chosen: list[Wanted], bar: Progress, from_rewards: bool
) -> tuple[Verdicts, list[Outcome]]:
    """How many came out how, by placement, and those that are not identical."""
    verdicts: Verdicts = {}
    others = []
    for one in chosen:
        if not one.seqs:
            raise StoreError(f"the log has no decision of placement {one.placement!r}")
        counted = verdicts[one.placement] = Counter()
        outcomes = replays(connection, one, from_rewards=from_rewards)
        for outcome in bar.track(outcomes, len(one.seqs), description=one.placement):
            counted[verdict_of(outcome)] += 1
            if not outcome.identical:
                others.append(outcome)
    return verdicts, others


def _counted(outcomes: list[Outcome]) -> Verdicts:
    return {one.placement: Counter([verdict_of(one)]) for one in outcomes}


def _bar(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


def verdict_of(outcome: Outcome) -> str:
    """In a word or two."""
    if outcome.identical:
        return VERDICTS[0]
    if outcome.obstacle is not None:
        return VERDICTS[3]
    return VERDICTS[1] if outcome.is_rounding else VERDICTS[2]


def table_of(verdicts: Verdicts) -> Table:
    """A line a placement."""
    table = Table(title="decisions derived again from the log")
    table.add_column("placement")
    for name in ("decisions", *VERDICTS, "share identical"):
        table.add_column(name, justify="right")
    for placement, counted in verdicts.items():
        n = counted.total()
        numbers = [f"{counted[name]:,}" for name in VERDICTS]
        table.add_row(escape(placement), f"{n:,}", *numbers, f"{counted['identical'] / n:.2%}")
    return table


def _tell(console: Console, outcome: Outcome) -> None:
    head = f"{outcome.decision_id}, {escape(outcome.policy_version)}: "
    if outcome.identical:
        console.print(f"{head}[green]identical[/], {_made_from(outcome)}", soft_wrap=True)
        return
    console.print(f"{head}[red]{verdict_of(outcome)}[/]", soft_wrap=True)
    if outcome.obstacle is not None:
        console.print(f"  {escape(outcome.obstacle)}", soft_wrap=True)
    for one in outcome.differences:
        console.print(
            f"  {one.field}: logged {escape(one.logged)}, derived {escape(one.derived)}",
            soft_wrap=True,
        )
    for reason in outcome.reasons:
        console.print(f"  [yellow]{escape(reason)}[/]", soft_wrap=True)


def _made_from(outcome: Outcome) -> str:
    if outcome.model is None:
        return "the default, which no model chose"
    start = f"the snapshot at row {outcome.model.snapshot}" if outcome.model.snapshot else "nothing"
    return f"by the model made from {start} and {outcome.model.n_learned:,} rewards"


def json_of(verdicts: Verdicts, outcomes: list[Outcome]) -> dict[str, Any]:
    """The counts, and every decision that was asked for or is not identical."""
    return {
        "placements": {name: dict(counted) for name, counted in verdicts.items()},
        "decisions": [
            {
                "decision_id": one.decision_id,
                "placement": one.placement,
                "policy_version": one.policy_version,
                "verdict": verdict_of(one),
                "differences": [
                    {"field": each.field, "logged": each.logged, "derived": each.derived}
                    for each in one.differences
                ],
                "obstacle": one.obstacle,
                "reasons": list(one.reasons),
            }
            for one in outcomes
        ],
    }
