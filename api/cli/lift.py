"""`segue lift`: what the service earns beyond the control group."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.failing import fail, settings_of
from api.cli.intervals import bounds, interval_json, number_json
from api.settings import PlacementSettings, Settings
from api.storage.base import StoreError
from api.storage.control_log import Groups, read_groups, read_groups_by_segment
from api.storage.guardrail_log import read_guardrails
from api.storage.trial import MARGIN, METRICS
from policy.errors import EvaluationError, PolicyError, suggestion
from policy.lift.guardrail import Guarded, Guardrail, Standing, guarded
from policy.lift.lift import FEWEST_VISITORS, PLANNED_VISITORS, Lift, lift
from policy.lift.sample_ratio import SampleRatio, sample_ratio


def lift_of_placement(
    placement: Annotated[str, typer.Option(help="With a [placements.holdout].")],
    config: Annotated[Path, typer.Option("--config", "-c", help="Names the store.")] = Path(
        "segue.toml"
    ),
    days: Annotated[
        float, typer.Option(min=0.01, max=3650, help="Of each visitor, from its first decision.")
    ] = 7.0,
    planned_visitors: Annotated[
        int, typer.Option(min=1, help="Where the interval should be narrowest.")
    ] = PLANNED_VISITORS,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(help="METRIC=TOLERANCE a visitor: returns, unsubscribes or margin."),
    ] = None,
    by: Annotated[
        Literal["segment"] | None, typer.Option(help="Split visitors by their segment, too.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers.")] = None,
) -> None:
    """Say what the treated visitors earn beyond those held out, whenever one looks."""
    console = Console()
    settings = settings_of(config)
    share, window = _holdout(settings, placement)
    span, database = timedelta(days=days), settings.service.database
    try:
        asked = [guardrail_of(text) for text in guardrail or ()]
        groups = read_groups(database, placement, span, window)
        found = lift(groups.treated, groups.control, planned_visitors=planned_visitors)
        ratio = sample_ratio((groups.n_treated, groups.n_control), (1.0 - share, share))
        names = [one.name for one in asked]
        measured = read_guardrails(database, placement, span, window, names)
        rails = guarded(asked, *measured, planned_visitors=planned_visitors)
        split = read_groups_by_segment(database, placement, span, window) if by else ()
        parts = by_segment(split, planned_visitors)
    except (PolicyError, StoreError) as error:
        fail(str(error))
    console.print(table_of(groups, found, rails))
    if parts:
        console.print(table_by_segment(parts))
    for warning in warnings_of(groups, ratio, share):
        console.print(f"[red]{warning}[/]")
    if json_file is not None:
        numbers = json_of(groups, found, ratio, rails)
        if by:
            numbers["segments"] = [_part_json(part) for part in parts]
        written = json.dumps(numbers, indent=2)
        json_file.write_text(written + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's lift.

    Args:
        segment: Of the visitors' first decision; None for those who were in none.
        groups: Its visitors.
        found: With intervals that hold for all segments at once.
    """

    segment: str | None
    groups: Groups
    found: Lift


def by_segment(
    groups: Sequence[tuple[str | None, Groups]], planned_visitors: int, error: float = 0.05
) -> tuple[Part, ...]:
    """The lift of each segment; the error is shared out, so that all intervals hold at once.

    Args:
        groups: By segment.
        planned_visitors: In all; each segment is planned its share of them.
        error: Probability that one of the intervals is ever wrong.
    """
    sizes = [one.n_treated + one.n_control for _, one in groups]
    level = 1.0 - error / max(len(groups), 1)
    planned = [max(1, round(planned_visitors * n / max(sum(sizes), 1))) for n in sizes]
    return tuple(
        Part(segment, one, lift(one.treated, one.control, level, n))
        for (segment, one), n in zip(groups, planned, strict=True)
    )


def table_by_segment(parts: Sequence[Part]) -> Table:
    """A line a segment; where the interval is on one side of 0, the segment answers."""
    table = Table(title="by segment of the first decision, intervals that hold all at once")
    for head in ("segment", "treated", "control", "control's mean", "lift", "interval"):
        table.add_column(head, justify="left" if head == "segment" else "right")
    for part in parts:
        treated, control = part.groups.treated.n_visitors, part.groups.control.n_visitors
        table.add_row(
            escape(part.segment or "-"),
            f"{treated:,}",
            f"{control:,}",
            f"{part.found.control:.4f}",
            f"{part.found.difference:+.4f}",
            bounds(part.found.interval, "+.4f"),
        )
    return table


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "segment": part.segment,
        "n_treated": part.groups.treated.n_visitors,
        "n_control": part.groups.control.n_visitors,
        "control": number_json(part.found.control),
        "difference": number_json(part.found.difference),
        "interval": interval_json(part.found.interval),
    }


def _holdout(settings: Settings, name: str) -> tuple[float, timedelta]:
    placements: dict[str, PlacementSettings] = {one.name: one for one in settings.placements}
    placement = placements.get(name)
    if placement is None:
        fail(f"--placement {name}: the configuration has {', '.join(placements) or 'none'}")
    if placement.holdout is None:
        fail(f"placement {name} has no [placements.holdout]: there is no control group")
    return placement.holdout.share, timedelta(minutes=placement.reward.window_minutes)


def guardrail_of(text: str) -> Guardrail:
    """A guardrail from the command line.

    Raises:
        EvaluationError: No metric that is measured, or no tolerance.

    Example:
        >>> guardrail_of("returns=0.01")
        Guardrail(name='returns', tolerance=0.01, higher_is_better=False)
    """
    name, _, tolerance = text.partition("=")
    if name not in METRICS:
        raise EvaluationError(f"--guardrail {text}: {suggestion(name, METRICS)}")
    try:
        return Guardrail(name, float(tolerance), higher_is_better=name == MARGIN)
    except ValueError:
        raise EvaluationError(
            f"--guardrail {text}: must be METRIC=TOLERANCE, such as returns=0.01; the tolerance is "
            "a number of at least 0"
        ) from None


def table_of(groups: Groups, found: Lift, rails: Sequence[Guarded] = ()) -> Table:
    """The lift, what it is made of, and where the guardrails stand."""
    table = Table(title="reward a visitor", show_header=False)
    for group, name, mean in (
        (groups.treated, "treated", found.control + found.difference),
        (groups.control, "control", found.control),
    ):
        table.add_row(f"{name}, {group.n_visitors:,} visitors", f"{mean:.4f}")
    table.add_row("lift", f"{found.difference:+.4f} {bounds(found.interval, '+.4f')}")
    table.add_row("in percent", bounds(found.relative, "+.1%"))
    table.add_row("variance left by what was known before", f"{found.variance_left:.0%}")
    for rail in rails:
        by = f"{rail.lift.difference:+.4f} {bounds(rail.lift.interval, '+.4f')}"
        style = "red" if rail.standing is Standing.HURT else ""
        name = f"{rail.guardrail.name}, tolerance {rail.guardrail.tolerance:g}"
        table.add_row(name, f"{by}: {rail.standing}", style=style)
    return table


def warnings_of(groups: Groups, ratio: SampleRatio, share: float) -> list[str]:
    """Why the lift says nothing, or is not to be believed; empty where it is."""
    warnings = []
    fewest = min(groups.treated.n_visitors, groups.control.n_visitors)
    if fewest < FEWEST_VISITORS:
        warnings.append(
            f"{fewest} visitors in the smaller group whose days have passed: at least "
            f"{FEWEST_VISITORS} are needed; wait, or raise the holdout's share"
        )
    if ratio.is_off:
        warnings.append(
            f"{ratio.shares[1]:.2%} of the visitors are in the control group and should be "
            f"{share:.2%} (p = {ratio.p_value:.1g}): a group loses visitors, or the share was "
            "changed; do not believe the lift"
        )
    if groups.n_in_both:
        warnings.append(f"{groups.n_in_both:,} visitors were in both groups and are left out")
    return warnings


def json_of(
    groups: Groups, found: Lift, ratio: SampleRatio, rails: Sequence[Guarded] = ()
) -> dict[str, Any]:
    """Every number, with null for what is unknown or unbounded."""
    return {
        "n_treated": groups.treated.n_visitors,
        "n_control": groups.control.n_visitors,
        "n_in_both": groups.n_in_both,
        "control": number_json(found.control),
        "difference": number_json(found.difference),
        "error": number_json(found.error),
        "interval": interval_json(found.interval),
        "relative": interval_json(found.relative),
        "variance_left": found.variance_left,
        "sample_ratio": {
            "n_treated": groups.n_treated,
            "n_control": groups.n_control,
            "p_value": ratio.p_value,
            "is_off": ratio.is_off,
        },
        "guardrails": {
            rail.guardrail.name: {
                "tolerance": rail.guardrail.tolerance,
                "control": number_json(rail.lift.control),
                "difference": number_json(rail.lift.difference),
                "interval": interval_json(rail.lift.interval),
                "standing": rail.standing.value,
            }
            for rail in rails
        },
    }
