"""`segue calibrate`: a world of simulated shoppers from a store's own log, and how alike they are.

Where it stands: the command line in, `simulator.calibrate` does the work, a scenario and a report
out.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from api.cli.failing import fail
from simulator.calibrate.fidelity import Fidelity, Measure, fidelity
from simulator.calibrate.fit import Calibration, as_toml, calibrate
from simulator.calibrate.readers import read_log
from simulator.dynamics.memory import keep_freed_memory
from simulator.errors import SimulatorError


def calibration(
    log: Annotated[
        Path,
        typer.Argument(
            help="CSV with customer, date, value (and category, product, units where known), "
            "CDNOW_sample.txt.gz, or a folder of Complete Journey's tables."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where to write the world.")] = Path("world.toml"),
    report: Annotated[Path | None, typer.Option(help="Where to write the report as JSON.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated customers.")] = 0,
) -> None:
    """Fit simulated shoppers to a store's log, and say how alike they are."""
    console = Console()
    try:
        keep_freed_memory()
        read = read_log(log)
        console.print(f"{len(read.customer):,} orders of {len(read.first_days[0]):,} customers")
        fitted = calibrate(read, out.stem)
        out.write_text(as_toml(fitted, f"Calibrated on {log.name}."), encoding="utf-8")
        found = fidelity(read, fitted, seed=seed)
        if report is not None:
            report.write_text(json.dumps(_plain(fitted, found), indent=2) + "\n", encoding="utf-8")
    except (SimulatorError, OSError) as error:
        fail(f"segue calibrate: {error}")
    typer.echo(table_of(found))
    for note in fitted.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    console.print(f"wrote {out}", highlight=False)


def table_of(found: Fidelity) -> str:
    """The report as a table in markdown.

    Example:
        >>> one = Measure("elasticity", ("",), (-2.0,), (-1.9,), 0.1)
        >>> print(table_of(Fidelity((one,), 0.55, 100)))
        | measure | log | simulated | apart |
        |-|-|-|-|
        | elasticity | -2 | -1.9 | 0.100 |
        | a classifier tells them apart (AUC, 0.5: cannot) | | | 0.550 |
    """
    lines = ["| measure | log | simulated | apart |", "|-|-|-|-|"]
    for one in found.measures:
        name = one.name
        labels = [label for label in one.labels if label]
        if labels:
            name += f" ({', '.join(labels)})"
        apart = "" if one.distance is None else f"{one.distance:.3f}"
        lines.append(f"| {name} | {_numbers(one.log)} | {_numbers(one.simulated)} | {apart} |")
    lines.append(f"| a classifier tells them apart (AUC, 0.5: cannot) | | | {found.auc:.3f} |")
    return "\n".join(lines)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join("not in the log" if math.isnan(one) else f"{one:.3g}" for one in values)


def _plain(fitted: Calibration, found: Fidelity) -> dict[str, Any]:
    """JSON has no NaN."""
    return {
        "n_customers": found.n_customers,
        "auc": found.auc,
        "measures": [_measure(one) for one in found.measures],
        "timing": asdict(fitted.timing),
        "spend": asdict(fitted.spend),
        "seasons": list(fitted.seasons),
        "tastes": fitted.tastes and asdict(fitted.tastes),
        "elasticity": fitted.elasticity and asdict(fitted.elasticity),
        "redemption": fitted.redemption,
        "notes": list(fitted.notes),
    }


def _measure(one: Measure) -> dict[str, Any]:
    numbers = {
        name: [None if math.isnan(value) else value for value in getattr(one, name)]
        for name in ("log", "simulated")
    }
    return {"name": one.name, "labels": list(one.labels), **numbers, "apart": one.distance}
