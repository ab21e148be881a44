"""Whether intervals hold, which estimator errs least, and how soon the gate promotes.

Where it stands: `python -m benchmarks.ope [--part NAME] [--data DIR] [--json FILE] [--quick]`, in
about a quarter of an hour of one core.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ope.coverage import Coverage, measure
from benchmarks.ope.gate import DAYS, LIFTS, ROWS_A_DAY, SHARES, Trials, run_trials
from benchmarks.ope.holdout import LOOKS, FalseAlarms, run_experiments
from benchmarks.ope.searching import CONFIGURATIONS, Real, Searches, run_real, run_searches
from benchmarks.ope.speed import PROCESSES, Speed, measure_speed
from benchmarks.ope.worlds import WORLDS
from benchmarks.report import Table, option_parser, options_of, publish
from policy.ope.evaluate import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.report import Cell

    Part = tuple[list[Table], Any]

N_ROWS = 3_000
SEARCHED = 2_000
DATA, EMAILS = Path("../shared/data"), Path("hillstrom/hillstrom_dev.csv.gz")


def coverage_table(found: list[Coverage]) -> Table:
    """Shares of the logs whose interval holds the truth."""
    headers = ("log", "value", "half width", "refused", "95 % interval", "of answered", "any time")
    return Table(
        f"coverage over {found[0].n_logs:,} logs of {N_ROWS:,} rows",
        headers,
        [
            (
                one.world,
                one.truth,
                _median_width(one),
                one.n_refused / one.n_logs,
                one.n_held / one.n_logs,
                _share(one.n_answered_held, one.n_logs - one.n_refused),
                None if one.n_always is None else one.n_always / one.n_logs,
            )
            for one in found
        ],
    )


def error_table(found: list[Coverage]) -> Table:
    """Root mean squared errors, as a multiple of the smallest of each world."""
    rows: list[list[Cell]] = []
    for name in found[0].rmse:
        ratios = [one.rmse[name] / min(one.rmse.values()) for one in found]
        rows.append([f"**{name}**" if name == DEFAULT.name else name, *ratios])
    return Table(
        "root mean squared error, times that of the best",
        ("estimator", *(one.world for one in found)),
        rows,
    )


def gate_table(found: list[Trials]) -> Table:
    """Verdicts on challengers."""
    headers = ("challenger's share", "better by", "promoted", "rolled back", "median days")
    return Table(
        f"{found[0].n_trials:,} challengers each, up to {DAYS} days of {ROWS_A_DAY:,} decisions, "
        "looked at daily",
        headers,
        [
            (
                f"{one.share:.0%}",
                f"{one.lift:.0%}",
                len(one.promoted_days) / one.n_trials,
                one.n_rolled_back / one.n_trials,
                one.median_days,
            )
            for one in found
        ],
    )


def holdout_table(found: FalseAlarms) -> Table:
    """Shares of experiments without an effect in which one was found."""
    return Table(
        f"{found.n_experiments:,} control groups without an effect, {LOOKS} looks each; CUPED "
        f"leaves {found.variance_left:.0%} of the variance",
        ("test", "false alarms"),
        [
            (name, count / found.n_experiments)
            for name, count in (
                ("lift, always valid", found.always_valid),
                ("lift, 1.96 standard errors at each look", found.normal),
                ("sample ratio at 5 %", found.ratio),
            )
        ],
    )


def search_table(found: Searches) -> Table:
    """Shares of the searches of noise in which something was found."""
    return Table(
        f"{found.n_searches:,} searches among {len(CONFIGURATIONS)} configurations, each in "
        f"{SEARCHED:,} rows whose rewards nothing foretells",
        ("claim", "wrong"),
        [
            (name, count / found.n_searches)
            for name, count in (
                ("the best one's interval on the rows that chose it, above the truth", found.naive),
                ("the same on rows that did not choose", found.judged),
                ("the winner is clearly better", found.called_better),
            )
        ],
    )


def real_table(found: list[Real]) -> Table:
    """What is found in real e-mails."""
    rows: list[tuple[Cell, ...]] = [
        (
            f"{one.outcome}: {one.winner} beyond {one.baseline}",
            f"{one.advantage:+.4f} [{one.low:+.4f}, {one.high:+.4f}]",
            "yes" if one.is_better else "no",
        )
        for one in found
    ]
    if not found:
        rows = [(f"no {EMAILS}: give --data", "-", "-")]
    return Table("searched in Hillstrom's e-mails", ("winner", "advantage", "better"), rows)


def speed_table(found: Speed) -> Table:
    """Seconds and rows a second, in one process and in several."""
    return Table(
        f"IPS, SNIPS and doubly robust together, {found.n_rows:,} rows of 20 actions from parquet",
        ("processes", "seconds", "rows/s", "same bits"),
        [
            ("1", found.seconds, found.n_rows / found.seconds, "-"),
            (
                str(PROCESSES),
                found.pool_seconds,
                found.n_rows / found.pool_seconds,
                "yes" if found.is_same else "no",
            ),
        ],
    )


def _median_width(one: Coverage) -> float:
    return float(np.median(one.half_widths))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def coverage_part(quick: bool) -> Part:
    """Intervals and errors over the logs of every world."""
    found = [measure(world, 40 if quick else 1_000, N_ROWS) for world in WORLDS]
    numbers = []
    for one in found:
        numbers.append(asdict(one) | {"rmse": one.rmse, "half_width": _median_width(one)})
        del numbers[-1]["errors"], numbers[-1]["half_widths"]
    return [coverage_table(found), error_table(found)], numbers


def gate_part(quick: bool) -> Part:
    """Challengers on trial."""
    n_trials = 10 if quick else 300
    found = [run_trials(share, lift, n_trials) for share in SHARES for lift in LIFTS]
    return [gate_table(found)], [asdict(one) | {"median_days": one.median_days} for one in found]


def holdout_part(quick: bool) -> Part:
    """Control groups without an effect."""
    found = run_experiments(40 if quick else 1_000)
    return [holdout_table(found)], asdict(found)


def search_part(quick: bool, folder: Path = DATA) -> Part:
    """Searches where there is nothing to find, and where no policy is known to beat an arm."""
    found = run_searches(20 if quick else 400, SEARCHED)
    emails = folder / EMAILS
    real = run_real(emails) if emails.exists() else []
    return [search_table(found), real_table(real)], [asdict(found), *map(asdict, real)]


def speed_part(quick: bool) -> Part:
    """Rows a second."""
    found = measure_speed(200_000 if quick else 2_000_000)
    return [speed_table(found)], asdict(found)


PARTS: dict[str, Callable[[bool], Part]] = {
    "coverage": coverage_part,
    "gate": gate_part,
    "holdout": holdout_part,
    "search": search_part,
    "speed": speed_part,
}


def main() -> None:
    parser = option_parser(__doc__.splitlines()[0])
    parser.add_argument("--part", choices=tuple(PARTS), help="only this one")
    given = parser.parse_args()
    options = options_of(given)
    tables: list[Table] = []
    numbers: dict[str, Any] = {}
    parts = PARTS | {"search": partial(search_part, folder=options.data or DATA)}
    for name in [given.part] if given.part else PARTS:
        made, numbers[name] = parts[name](options.quick)
        tables += made
    publish("ope", tables, numbers, options)


if __name__ == "__main__":
    main()
