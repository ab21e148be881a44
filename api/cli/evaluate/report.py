"""What an evaluation found: as a table, as JSON, as parquet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from api.cli.intervals import bounds, interval_json, number_json
from policy.ope.formats.parquet import pyarrow_modules
from policy.ope.overlap import Overlaps
from policy.ope.progressive import Point
from policy.ope.results import OVERALL, Estimate, Evaluation, Result
from policy.ope.search import Found

HEADS = ("policy", "would have earned", "95 % interval", "effective rows", "advantage")


@dataclass(frozen=True, slots=True)
class Section:
    """What was found on one log.

    Args:
        name: Of the placement, or of the file.
        baseline: Name of the policy that others are compared with; None for none.
        overlaps: None where nobody will look at them.
        curves: Of the learners; empty where they were not asked for.
        searched: None where nothing was.
        warnings: Why not to believe some of it, though the log could tell.
    """

    name: str
    evaluation: Evaluation
    baseline: str | None = None
    overlaps: Overlaps | None = None
    curves: Mapping[str, Sequence[Point]] | None = None
    searched: Found | None = None
    warnings: Sequence[str] = ()


def table_of(section: Section) -> Table:
    """The overall results, a line a policy."""
    found = section.evaluation
    told = f"{found.n_rows:,} decisions, which earned {found.mean_reward:.4f} each"
    table = Table(title=escape(f"{section.name}: {told}"))
    for name in HEADS:
        table.add_column(name)
    for result in overall(found):
        table.add_row(*map(escape, cells(result)))
    return table


def overall(found: Evaluation) -> list[Result]:
    """One result for each policy."""
    return [result for result in found.results if result.group.label == OVERALL]


def cells(result: Result) -> tuple[str, ...]:
    """A result under ``HEADS``."""
    best, rows = result.best, f"{result.diagnosis.effective_rows:,.0f}"
    advantage = ""
    if result.advantage is not None:
        advantage = f"{result.advantage.value:+.4f} {bounds(result.advantage.interval, '+.4f')}"
    if not result.diagnosis.answerable:
        return result.policy, "the log cannot tell", "", rows, ""
    return result.policy, f"{best.value:.4f}", bounds(best.interval, ".4f"), rows, advantage


def verdict_of(found: Found) -> str:
    """What a search came to, in a sentence or two."""
    best = found.judged.best
    head = (
        f"Of {len(found.tried)} configurations, {found.winner!r} looked best on "
        f"{found.n_rows[1]:,} decisions. On {found.n_rows[2]:,} later ones, which had no part in "
        "the choice, "
    )
    if not found.judged.diagnosis.answerable:
        return head + f"the log cannot tell: {found.judged.diagnosis.reasons[0]}."
    told = [
        f"{one.advantage.value:+.4f} {bounds(one.advantage.interval, '+.4f')} beyond "
        f"{one.baseline!r}"
        for one in found.comparisons
    ]
    verdict = "It is clearly better." if found.is_better else "It is not clearly better."
    compared = f", {' and '.join(told)}. {verdict}" if told else "."
    return f"{head}it earns {best.value:.4f} {bounds(best.interval, '.4f')}{compared}"


def json_of(sections: Sequence[Section]) -> dict[str, Any]:
    """Every number, with null for what is unknown or unbounded; by placement for several."""
    if len(sections) == 1:
        return _section(sections[0])
    return {"placements": {one.name: _section(one) for one in sections}}


def _section(section: Section) -> dict[str, Any]:
    found = section.evaluation
    written: dict[str, Any] = {
        "n_rows": found.n_rows,
        "mean_reward": found.mean_reward,
        "results": [_result(result) for result in found.results],
        "warnings": [*found.warnings, *section.warnings],
    }
    if section.overlaps is not None:
        written["weights"] = _weights(section.overlaps)
    if section.curves is not None:
        written["curves"] = {
            name: [_point(point) for point in points] for name, points in section.curves.items()
        }
    if section.searched is not None:
        written["search"] = _search(section.searched)
    return written


def _result(result: Result) -> dict[str, Any]:
    seen = result.diagnosis
    return {
        "policy": result.policy,
        "label": result.group.label,
        "value": result.group.value,
        "answerable": seen.answerable,
        "reasons": list(seen.reasons),
        "n_rows": seen.n_rows,
        "effective_rows": seen.effective_rows,
        "largest_weight": seen.largest_weight,
        "mean_weight": seen.mean_weight,
        "unsupported": seen.unsupported,
        "estimates": [_estimate(one) for one in result.estimates],
        "advantage": None if result.advantage is None else _estimate(result.advantage),
        "any_time": None if result.always is None else interval_json(result.always),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {
        "estimator": one.estimator,
        "value": number_json(one.value),
        "error": number_json(one.error),
        "interval": interval_json(one.interval),
    }


def _weights(found: Overlaps) -> dict[str, Any]:
    return {
        name: {
            "zeros": own.zeros,
            "counts": own.counts.tolist(),
            "shown": dict(zip(found.actions, (own.shown / own.n_rows).tolist(), strict=True)),
            "logged": dict(zip(found.actions, (own.logged / own.n_rows).tolist(), strict=True)),
        }
        for name, own in found.of.items()
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "n_rows": point.n_rows,
        "value": number_json(point.value),
        "interval": interval_json(point.interval),
        "so_far": number_json(point.so_far),
    }


def _search(found: Found) -> dict[str, Any]:
    return {
        "winner": found.winner,
        "is_better": found.is_better,
        "n_rows": dict(zip(("taught", "chose", "judged"), found.n_rows, strict=True)),
        "judged": _result(found.judged),
        "comparisons": [
            {"baseline": one.baseline, "is_clear": one.is_clear} | _estimate(one.advantage)
            for one in found.comparisons
        ],
        "tried": [_result(one) for one in found.tried],
    }


def rows_of(sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    """A flat row for each estimate of each policy and group, as parquet has them."""
    for section in sections:
        for result in section.evaluation.results:
            gains = [] if result.advantage is None else [("advantage", result.advantage)]
            for what, one in [*(("value", one) for one in result.estimates), *gains]:
                yield {
                    "placement": section.name,
                    "policy": result.policy,
                    "label": result.group.label,
                    "group": result.group.value,
                    "what": what,
                    "estimator": one.estimator,
                    "value": one.value,
                    "error": one.error,
                    "low": one.interval.low,
                    "high": one.interval.high,
                    "level": one.interval.level,
                    "answerable": result.diagnosis.answerable,
                    "n_rows": result.diagnosis.n_rows,
                    "effective_rows": result.diagnosis.effective_rows,
                    "largest_weight": result.diagnosis.largest_weight,
                    "warnings": "; ".join((*section.evaluation.warnings, *section.warnings)),
                }


def write_parquet(path: Path, sections: Sequence[Section]) -> None:
    """Write ``rows_of``.

    Raises:
        EvaluationError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow_modules()
    parquet.write_table(arrow.Table.from_pylist(list(rows_of(sections))), path)
