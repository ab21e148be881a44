"""Do segments last, are they apart, and do they know the future? On three shops' real customers.

    python -m benchmarks.segments [--data DIR] [--json FILE] [--quick]

Where it stands: folds each shop's orders into profiles, fits every family on the customers of one
day, refits a month later, and judges by the 90 days that follow. The chosen row of a shop is what
`segments.evaluation.choice` picks by what was known on that day.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.report import Table, parse_options, publish
from benchmarks.segments.emerging import planted, unplanted
from benchmarks.segments.emerging import table as emerging_table
from benchmarks.segments.gate import passed
from benchmarks.segments.gate import table as gate_table
from benchmarks.segments.measure import (
    CANDIDATES,
    NEURAL,
    Baselines,
    Explained,
    Measured,
    Times,
    baselines,
    in_rules,
    measure,
    pick,
)
from benchmarks.segments.purchases import DATA, FUTURE, MONTH, SHOPS, DataError, timeline
from benchmarks.segments.speed import assignment, change_detection, fitting

if TYPE_CHECKING:
    from datetime import datetime

    from benchmarks.report import Cell
    from benchmarks.segments.purchases import Shop, Snapshot
    from segments.evaluation.choice import Choice

DRAWS, QUICK_DRAWS = 50, 5
LASTING = (
    "family", "segments", "mean ARI", "min ARI", "min Jaccard", "kept", "model churn",
    "migrated", "PSI",
)  # fmt: skip
APART = ("family", "silhouette", "Davies-Bouldin", "entropy", "smallest", "noise")
WORTH = (
    "family", "eta² spend", "spread", "calibration error", "eta² conversion",
    "calibration error of conversion",
)  # fmt: skip


def main() -> None:
    options = parse_options(__doc__.splitlines()[0] if __doc__ else "")
    folder = options.data or DATA
    for name in NEURAL.keys() - CANDIDATES.keys():
        print(f"{name} is left out: needs pip install 'segue[train]'", file=sys.stderr)
    tables: list[Table] = []
    numbers: dict[str, Any] = {}
    watched: list[list[Cell]] = []
    weighed: list[list[Cell]] = []
    for shop in SHOPS:
        try:
            snapshots = timeline(shop.read(folder), sorted(_moments(shop)))
            times = _times(shop, snapshots)
            found, figures = _shop(shop, times, QUICK_DRAWS if options.quick else DRAWS)
        except DataError as error:
            print(f"{shop.name} is left out: {error}", file=sys.stderr)
            continue
        tables += found
        numbers[shop.name] = figures
        watched.append(unplanted(shop.name, _dated(shop, times)))
        weighed.append(passed(shop.name, times.fitted, options.quick))
    for table, figures in (
        gate_table(weighed),
        emerging_table([*watched, planted(options.quick)]),
    ):
        tables.append(table)
        numbers |= figures
    for part in (assignment, fitting, change_detection):
        table, figures = part(options.quick)
        tables.append(table)
        numbers |= figures
    publish("segments", tables, numbers, options)


def _moments(shop: Shop) -> tuple[datetime, ...]:
    """Those of `Times`, in its order."""
    before = shop.fitted - FUTURE
    return (before - MONTH, before, shop.fitted, shop.refitted - FUTURE, shop.refitted)


def _times(shop: Shop, snapshots: list[Snapshot]) -> Times:
    moments = _moments(shop)
    ordered = sorted(moments)
    return Times(*(snapshots[ordered.index(moment)] for moment in moments))


def _dated(shop: Shop, times: Times) -> list[tuple[float, Snapshot]]:
    """The snapshots that follow each other, with their days."""
    moments = _moments(shop)
    chosen = (times.earlier, times.before, times.fitted, times.refitted)
    days = [(moments[i] - moments[0]) / timedelta(days=1) for i in (0, 1, 2, 4)]
    return list(zip(days, chosen, strict=True))


def _shop(shop: Shop, times: Times, n_draws: int) -> tuple[list[Table], dict[str, Any]]:
    choice = pick(times, n_draws)
    rows = [measure(name, times, n_draws) for name in CANDIDATES]
    bars, rules = baselines(times.fitted), in_rules(choice.chosen, times)
    title = f"{shop.name}, {len(times.fitted.visitors):,} customers"
    tables = [
        Table(f"{title}: do they last?", LASTING, [_lasting(row, choice) for row in rows]),
        Table(f"{title}: are they apart?", APART, [_apart(row, choice) for row in rows]),
        Table(
            f"{title}: do they know the next 90 days?",
            WORTH,
            [_worth(row, choice) for row in rows] + _bars(bars, rules, choice),
        ),
    ]
    return tables, _figures(choice, rows, bars, rules)


def _name(row: Measured, choice: Choice) -> str:
    return f"**{row.name}** (chosen)" if row.name == choice.chosen else row.name


def _lasting(row: Measured, choice: Choice) -> list[Cell]:
    stability, moved = row.stability, row.moved
    return [
        _name(row, choice),
        row.n_segments,
        stability.ari_mean,
        stability.ari_min,
        min(stability.jaccard, default=None),
        moved.kept,
        moved.model_churn,
        moved.migrated,
        moved.population_shift,
    ]


def _apart(row: Measured, choice: Choice) -> list[Cell]:
    apart = row.separation
    return [
        _name(row, choice),
        apart.silhouette,
        apart.davies_bouldin,
        apart.entropy,
        apart.smallest,
        apart.noise,
    ]


def _worth(row: Measured, choice: Choice) -> list[Cell]:
    return [
        _name(row, choice),
        row.spend.eta_squared,
        row.spend.spread,
        row.spend.calibration_error,
        row.conversion.eta_squared,
        row.conversion.calibration_error,
    ]


def _bars(bars: Baselines, rules: Explained, choice: Choice) -> list[list[Cell]]:
    rest: list[Cell] = [None] * 4
    return [
        [f"{choice.chosen} in {rules.n_leaves} rules", rules.eta_squared, *rest],
        ["baseline: RFM sums", bars.rfm_sums, *rest],
        ["baseline: past-spend quintiles", bars.spend_quintiles, *rest],
        ["baseline: past-spend pyramid", bars.spend_pyramid, *rest],
    ]


def _figures(
    choice: Choice, rows: list[Measured], bars: Baselines, rules: Explained
) -> dict[str, Any]:
    return {
        "chosen": choice.chosen,
        "reason": choice.reason,
        "shortfalls": {one.name: one.shortfalls for one in choice.scored},
        "families": [_row_figures(row) for row in rows],
        "baselines": asdict(bars),
        "rules": asdict(rules),
    }


def _row_figures(row: Measured) -> dict[str, Any]:
    return {
        "name": row.name,
        "n_segments": row.n_segments,
        "stability": asdict(row.stability),
        "separation": asdict(row.separation),
        "kept": row.moved.kept,
        "model_churn": row.moved.model_churn,
        "migrated": row.moved.migrated,
        "population_shift": row.moved.population_shift,
        "spend": asdict(row.spend),
        "conversion": asdict(row.conversion),
    }


if __name__ == "__main__":
    main()
