"""Logs in CSV, with the columns of ``policy.ope.formats.table``."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import LogError
from policy.ope.formats.table import CHUNK_ROWS, Columns, from_table, to_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from policy.ope.log import Decisions
    from policy.ope.screen import Screen


def actions_of_csv(path: Path, columns: Columns) -> tuple[str, ...]:
    """The distinct actions of a log, sorted, from one pass over it."""
    found: set[str] = set()
    for table in _tables(path, CHUNK_ROWS):
        columns.check(table)
        found.update(table[columns.action])
    return tuple(sorted(found))


def read_csv(
    path: Path,
    columns: Columns,
    screen: Screen,
    actions: tuple[str, ...] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Decisions]:
    """The chunks of a log.

    Args:
        path: UTF-8, with a header line. An empty field is a missing number.
        columns: Which column holds what.
        screen: What to do with rows that cannot be used.
        actions: Ids of all actions; by default those that were shown.
        chunk_rows: Rows of a chunk.

    Raises:
        LogError: No such file, a line of another length, a column that is missing or holds no
            numbers, or a row that cannot be used.
    """
    actions = actions or actions_of_csv(path, columns)
    for table in _tables(path, chunk_rows):
        yield from_table(table, columns, actions, screen)


def names_of_csv(path: Path) -> tuple[str, ...]:
    """The names of a log's columns, in their order.

    Raises:
        LogError: No such file, or no header line.
    """
    return tuple(next(_tables(path, 1), {}))


def write_csv(path: Path, chunks: Iterable[Decisions], context_names: Sequence[str] = ()) -> None:
    """Write a log, with a header line and every digit."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, log in enumerate(chunks):
            table = to_table(log, context_names)
            if not number:
                writer.writerow(table)
            writer.writerows(zip(*(values.tolist() for values in table.values()), strict=True))


def _tables(path: Path, chunk_rows: int) -> Iterator[dict[str, np.ndarray]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, None)
            if not names:
                raise LogError(f"{path} is empty: must begin with a header line")
            while rows := list(islice(reader, chunk_rows)):
                yield _table(names, rows, path, reader.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise LogError(f"{path} cannot be read as CSV: {cause}") from None


def _table(
    names: list[str], rows: list[list[str]], path: Path, last_line: int
) -> dict[str, np.ndarray]:
    lengths = {len(row) for row in rows}
    if lengths != {len(names)}:
        raise LogError(
            f"{path}: a line up to line {last_line} has {next(iter(lengths - {len(names)}))} "
            f"fields: must have {len(names)}, as the header"
        )
    return {
        name: np.array([value or "nan" for value in values], dtype=object)
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }
