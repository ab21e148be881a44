"""Whether intervals hold, which estimator errs least, and how soon the gate promotes.

Where it stands: `python -m benchmarks.ope [--part NAME] [--data DIR] [--json FILE] [--quick]`, in
about twenty-five minutes of one core.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.ope.coverage import measure
from benchmarks.ope.coverage_tables import coverage_table, error_table, median_width
from benchmarks.ope.gate import DAYS, LIFTS, ROWS_A_DAY, SHARES, Trials, run_trials
from benchmarks.ope.holdout import LOOKS, FalseAlarms, run_experiments
from benchmarks.ope.obp_compare import compared, is_installed
from benchmarks.ope.obp_tuned import tuned_errors
from benchmarks.ope.peer_tables import (
    known_table,
    obp_table,
    searched_table,
    seconds_table,
    tuned_table,
)
from benchmarks.ope.real import arms_and_rules, searched_rules, thompson_from_random
from benchmarks.ope.real_logs import DATA
from benchmarks.ope.searching import CONFIGURATIONS, Real, Searches, run_real, run_searches
from benchmarks.ope.speed import PROCESSES, Speed, measure_speed
from benchmarks.ope.worlds import HELD_OUT, WORLDS
from benchmarks.report import Table, option_parser, options_of, publish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.ope.worlds import World
    from benchmarks.report import Cell

    Part = tuple[list[Table], Any]

N_LOGS, N_HELD_OUT_LOGS, N_TUNED_LOGS = 1_000, 500, 20
SEARCHED = 2_000
EMAILS = "hillstrom/hillstrom_dev.csv.gz"


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
        ("processes", "seconds", "of a processor", "rows/s", "peak MB", "same bits"),
        [
            (
                "1",
                found.seconds,
                found.cpu_seconds,
                found.n_rows / found.seconds,
                found.peak_mb,
                "-",
            ),
            (
                str(PROCESSES),
                found.pool_seconds,
                None,
                found.n_rows / found.pool_seconds,
                None,
                "yes" if found.is_same else "no",
            ),
        ],
    )


def coverage_part(quick: bool) -> Part:
    """Intervals and errors over the logs of the worlds that choices were made by."""
    return _measured(WORLDS, "worlds that choices were made by", 20 if quick else N_LOGS)


def held_out_part(quick: bool) -> Part:
    """The same over worlds that they were not."""
    return _measured(HELD_OUT, "worlds held out", 20 if quick else N_HELD_OUT_LOGS)


def _measured(worlds: tuple[World, ...], title: str, n_logs: int) -> Part:
    found = [measure(world, n_logs) for world in worlds]
    numbers = []
    for one in found:
        numbers.append(asdict(one) | {"rmse": one.rmse, "half_width": median_width(one)})
        del numbers[-1]["errors"], numbers[-1]["half_widths"]
    return [coverage_table(title, found), error_table(title, found)], numbers


def gate_part(quick: bool) -> Part:
    """Challengers on trial."""
    n_trials = 10 if quick else 300
    found = [run_trials(share, lift, n_trials) for share in SHARES for lift in LIFTS]
    return [gate_table(found)], [asdict(one) | {"median_days": one.median_days} for one in found]


def holdout_part(quick: bool) -> Part:
    """Control groups without an effect."""
    found = run_experiments(40 if quick else 1_000)
    return [holdout_table(found)], asdict(found)


def search_part(quick: bool, folder: Path) -> Part:
    """Searches where there is nothing to find, and where no policy is known to beat an arm."""
    found = run_searches(20 if quick else 400, SEARCHED)
    emails = folder / EMAILS
    real = run_real(emails) if emails.exists() else []
    return [search_table(found), real_table(real)], [asdict(found), *map(asdict, real)]


def speed_part(quick: bool) -> Part:
    """Rows a second."""
    # The fewest rows first: a process's peak never falls.
    found = [measure_speed(n) for n in ((200_000,) if quick else (1_000_000, 10_000_000))]
    return [speed_table(one) for one in found], [asdict(one) for one in found]


def obp_part(quick: bool, data: Path) -> Part:
    """The same estimates as Open Bandit Pipeline."""
    if not is_installed():
        return [obp_table(None)], None
    found = compared(data, quick=quick)
    return [obp_table(found), seconds_table(found)], asdict(found)


def tuned_part(quick: bool) -> Part:
    """Open Bandit Pipeline's automatically tuned estimators."""
    if not is_installed():
        return [obp_table(None)], None
    n_logs = 1 if quick else N_TUNED_LOGS
    found = tuned_errors(HELD_OUT, n_logs)
    return [tuned_table(found, n_logs)], [asdict(one) for one in found]


def real_part(quick: bool, data: Path) -> Part:
    """Real logs whose answers are known otherwise; the size is what it is."""
    known = thompson_from_random(data) if (data / "obd").exists() else []
    rules = []
    if (data / "hillstrom").exists():
        known += arms_and_rules(data)
        rules = searched_rules(data)
    numbers = {"known": [asdict(one) for one in known], "searched": [asdict(one) for one in rules]}
    return [known_table(known), searched_table(rules)], numbers


def parts_of(data: Path) -> dict[str, Callable[[bool], Part]]:
    """The parts by name, in the order in which they are run."""
    return {
        "obp": partial(obp_part, data=data),
        "real": partial(real_part, data=data),
        "tuned": tuned_part,
        "coverage": coverage_part,
        "held-out": held_out_part,
        "gate": gate_part,
        "holdout": holdout_part,
        "search": partial(search_part, folder=data),
        "speed": speed_part,
    }


def main() -> None:
    parser = option_parser(__doc__.splitlines()[0])
    parser.add_argument("--part", choices=tuple(parts_of(DATA)), help="only this one")
    given = parser.parse_args()
    options = options_of(given)
    tables: list[Table] = []
    numbers: dict[str, Any] = {}
    parts = parts_of(options.data or DATA)
    for name in [given.part] if given.part else parts:
        made, numbers[name] = parts[name](options.quick)
        tables += made
    publish("ope", tables, numbers, options)


if __name__ == "__main__":
    main()
