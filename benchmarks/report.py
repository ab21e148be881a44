"""The shared face of the benchmarks: their options, markdown tables and JSON.

Where it stands: every `benchmarks/` module measures, and ends here.
"""

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Options:
    """What every benchmark can be told."""

    json_file: Path | None
    quick: bool
    data: Path | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table to print; a cell that is None was not measured."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def parse_options(description: str, arguments: Sequence[str] | None = None) -> Options:
    """Read `[--data DIR] [--json FILE] [--quick]` from the command line.

    Args:
        description: First line of `--help`.
        arguments: Instead of those of the process.
    """
    return options_of(option_parser(description).parse_args(arguments))


def option_parser(description: str) -> argparse.ArgumentParser:
    """A parser of the shared options, for a benchmark that adds its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--data", type=Path, metavar="DIR", help="other data, in the same layout")
    return parser


def options_of(given: argparse.Namespace) -> Options:
    """The shared options among those that were parsed."""
    return Options(json_file=given.json, quick=given.quick, data=given.data)


def publish(
    subject: str, tables: Sequence[Table], numbers: Mapping[str, Any], options: Options
) -> None:
    """Print the tables as markdown and, where asked to, write everything as JSON."""
    for table in tables:
        print(f"\n{markdown(table)}")
    if options.json_file is None:
        return
    written = {"subject": subject, "machine": machine(), "quick": options.quick, **numbers}
    options.json_file.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def markdown(table: Table) -> str:
    """The table in markdown: its title, then aligned columns, numbers to the right."""
    cells = [list(table.headers), *([show(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.headers))]
    header, *rows = [_line(row, widths) for row in cells]
    rule = "|".join(
        "-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)
    )
    return "\n".join([f"**{table.title}**", "", header, f"|{rule}|", *rows])


def show(cell: Cell) -> str:
    """A number with four significant digits and thousands apart, a text as it is."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 1000 or isinstance(cell, int) else f"{cell:.4g}"


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join([first, *rest])} |"
