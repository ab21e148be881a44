"""Do refits by the service's own path keep customers where they behave as before? On three shops.

    python -m benchmarks.refit [--data DIR] [--json FILE] [--quick]

Where it stands: the customers of one day and of a month later, from `benchmarks.segments`; fitted,
refitted and judged by what the service's refits run (`api.worker`), with its default settings.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from api.segment_families import FAMILIES, K_MEANS, TREE_RULES
from api.settings import SegmentSettings
from api.storage.base import RefitRow
from api.worker.fit import Task, fitted_by
from api.worker.recipe import wanted
from api.worker.verdict import Request, judged
from benchmarks.report import Table, parse_options, publish
from benchmarks.segments.purchases import DATA, MONTH, SHOPS, DataError, timeline

if TYPE_CHECKING:
    from benchmarks.report import Cell
    from benchmarks.segments.purchases import Shop, Snapshot

HEADS = (
    "shop", "family", "customers", "segments", "kept for the same behaviour", "model churn",
    "verdict",
)  # fmt: skip


def main() -> None:
    options = parse_options(__doc__.splitlines()[0] if __doc__ else "")
    rows: list[list[Cell]] = []
    numbers: dict[str, Any] = {}
    for shop in SHOPS:
        try:
            events = shop.read(options.data or DATA)
        except DataError as error:
            print(f"{shop.name} is left out: {error}", file=sys.stderr)
            continue
        before, after = timeline(events, [shop.fitted, shop.fitted + MONTH])
        for family in FAMILIES:
            if family == TREE_RULES or (options.quick and family == K_MEANS):
                continue  # rules learn from a store; a number of segments takes a while to choose
            verdict, n_segments = _refitted(family, before, after)
            numbers[f"{shop.name}, {family}"] = {**verdict._asdict(), "segments": n_segments}
            rows.append(_row(shop, verdict, n_segments))
    table = Table("Refit after a month, as the service does", HEADS, rows)
    publish("refit", [table], numbers, options)


def _refitted(family: str, before: Snapshot, after: Snapshot) -> tuple[RefitRow, int]:
    settings = SegmentSettings(family=family)
    recipe = wanted(settings, None)
    task = Task(recipe.family, recipe.n_segments, seed=settings.seed)
    first = fitted_by(task, before.vectors, None)
    task = replace(task, n_segments=first.assigner.n_labels, max_churn=settings.max_churn)
    second = fitted_by(task, after.vectors, first)
    row = RefitRow(0, family, recipe.n_segments, "failed", None, len(after.visitors), None, None)
    verdict = judged(row, second, Request(), max_churn=settings.max_churn, another=False)
    return verdict, first.assigner.n_labels


def _row(shop: Shop, verdict: RefitRow, n_segments: int) -> list[Cell]:
    churn = verdict.churn or 0.0
    return [
        shop.name,
        verdict.family,
        verdict.n_visitors,
        n_segments,
        f"{1.0 - churn:.1%}" if verdict.outcome == "adopted" else "100.0%",
        f"{churn:.1%}",
        verdict.outcome,
    ]


if __name__ == "__main__":
    main()
