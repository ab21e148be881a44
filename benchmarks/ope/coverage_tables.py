"""The tables of coverage and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Table
from policy.ope.evaluate import DEFAULT

if TYPE_CHECKING:
    from benchmarks.ope.coverage import Coverage
    from benchmarks.report import Cell

NEAR = 1.05


def coverage_table(title: str, found: list[Coverage]) -> Table:
    """Shares of the logs whose interval holds the truth."""
    headers = ("log", "value", "half width", "refused", "95 % interval", "of answered", "any time")
    return Table(
        f"coverage over {found[0].n_logs:,} logs of each of the {title}",
        headers,
        [
            (
                one.world,
                one.truth,
                median_width(one),
                one.n_refused / one.n_logs,
                one.n_held / one.n_logs,
                _share(one.n_answered_held, one.n_logs - one.n_refused),
                None if one.n_always is None else one.n_always / one.n_logs,
            )
            for one in found
        ],
    )


def error_table(title: str, found: list[Coverage]) -> Table:
    """Root mean squared errors, as a multiple of the smallest of each world."""
    names = list(found[0].rmse)
    ratios = np.array(
        [[one.rmse[name] / min(one.rmse.values()) for name in names] for one in found]
    )
    rows: list[list[Cell]] = [
        [one.world, *map(float, row)] for one, row in zip(found, ratios, strict=True)
    ]
    rows.append(["geometric mean", *map(float, np.exp(np.log(ratios).mean(axis=0)))])
    rows.append(["share within 1.05", *map(float, (ratios <= NEAR).mean(axis=0))])
    rows.append(["largest", *map(float, ratios.max(axis=0))])
    shown = [f"**{name}**" if name == DEFAULT.name else name for name in names]
    return Table(
        f"root mean squared error, times that of the best, in the {title}", ("log", *shown), rows
    )


def median_width(one: Coverage) -> float:
    """Half width of the default interval, in the middle of all logs."""
    return float(np.median(one.half_widths))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
