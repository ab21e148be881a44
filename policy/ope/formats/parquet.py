"""Logs in parquet, with the columns of ``policy.ope.formats.table``. Needs pyarrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import EvaluationError, LogError
from policy.ope.formats.table import CHUNK_ROWS, Coded, Columns, from_table, to_table
from policy.ope.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from policy.ope.log import Decisions


def read_parquet(
    path: Path,
    columns: Columns,
    screen: Screen,
    actions: tuple[str, ...] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Decisions]:
    """The chunks of a log.

    Args:
        path: The file.
        columns: Which column holds what.
        screen: What to do with rows that cannot be used.
        actions: Ids of all actions; by default those that were shown.
        chunk_rows: Rows of a chunk.

    Raises:
        EvaluationError: pyarrow is not installed.
        LogError: No such file, a column that is missing or holds no numbers, or a row that cannot
            be used.
    """
    file = _open(path, columns)
    columns.check(file.schema_arrow.names)
    actions = actions or _actions(file, columns)
    for batch in file.iter_batches(chunk_rows):
        yield _decisions(batch, columns, actions, screen)


@dataclass(frozen=True, slots=True)
class ParquetShard:
    """One row group of a file, read where it is worked on: `evaluate` takes it for chunks.

    Args:
        path: The file.
        columns: Which column holds what.
        actions: Ids of all actions of the whole log.
        row_group: Its number.
        first_row: Number of its first row within the file.
        n_rows: How many it has.
    """

    path: Path
    columns: Columns
    actions: tuple[str, ...]
    row_group: int
    first_row: int
    n_rows: int

    def chunks(self) -> Iterator[Decisions]:
        """Its rows, in order.

        Raises:
            LogError: One of them cannot be used.
        """
        # As if all rows before had been seen, which a screen that refuses lets stand.
        screen = Screen(n_seen=self.first_row)
        file = _open(self.path, self.columns)
        for batch in file.iter_batches(CHUNK_ROWS, row_groups=[self.row_group]):
            yield _decisions(batch, self.columns, self.actions, screen)


def parquet_shards(
    path: Path, columns: Columns, actions: tuple[str, ...] | None = None
) -> tuple[ParquetShard, ...]:
    """The row groups of a file, in order, for a pool whose processes read for themselves.

    Rows that cannot be used are refused: to leave some out, use `read_parquet`.

    Args:
        path: The file; a row group is what one process works on at a time.
        columns: Which column holds what.
        actions: Ids of all actions; by default those that were shown.

    Raises:
        EvaluationError: pyarrow is not installed.
        LogError: No such file, or a column that is missing.
    """
    file = _open(path, columns)
    columns.check(file.schema_arrow.names)
    actions = actions or _actions(file, columns)
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return tuple(
        ParquetShard(path, columns, actions, number, start, size)
        for number, (start, size) in enumerate(zip(starts, sizes, strict=True))
        if size
    )


def _decisions(batch: Any, columns: Columns, actions: tuple[str, ...], screen: Screen) -> Decisions:
    coded = batch.column(batch.schema.names.index(columns.action))
    if not hasattr(coded, "dictionary"):
        coded = coded.dictionary_encode()
    table = {
        name: column.to_numpy(zero_copy_only=False)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if name != columns.action
    }
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    action = Coded(coded.dictionary.to_pylist(), codes)
    return from_table(table, columns, actions, screen, action)


def names_of_parquet(path: Path) -> tuple[str, ...]:
    """The names of a log's columns, in their order.

    Raises:
        EvaluationError: pyarrow is not installed.
        LogError: No such file, or it cannot be read.
    """
    return tuple(_open(path).schema_arrow.names)


def write_parquet(
    path: Path, chunks: Iterable[Decisions], context_names: Sequence[str] = ()
) -> None:
    """Write a log, a row group a chunk.

    Raises:
        EvaluationError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow_modules()
    writer = None
    try:
        for log in chunks:
            table = {
                name: np.asarray(values, dtype=str) if values.dtype == object else values
                for name, values in to_table(log, context_names).items()
            }
            batch = arrow.table(table)
            writer = writer or parquet.ParquetWriter(path, batch.schema)
            writer.write_table(batch)
    finally:
        if writer is not None:
            writer.close()


def _actions(file: Any, columns: Columns) -> tuple[str, ...]:
    found: set[str] = set()
    for batch in file.iter_batches(CHUNK_ROWS, columns=[columns.action]):
        column = batch.columns[0]
        values = column.dictionary if hasattr(column, "dictionary") else column.unique()
        found.update(str(value) for value in values.to_pylist() if value is not None)
    return tuple(sorted(found))


def _open(path: Path, columns: Columns | None = None) -> Any:
    arrow, parquet = pyarrow_modules()
    # Actions as codes: a text is made once for each, not for every row.
    coded = [] if columns is None else [columns.action]
    try:
        return parquet.ParquetFile(path, read_dictionary=coded)
    except (OSError, arrow.ArrowException) as cause:
        raise LogError(f"{path} cannot be read as parquet: {cause}") from None


def pyarrow_modules() -> tuple[Any, Any]:
    """``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        EvaluationError: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  # optional
        import pyarrow.parquet as pq  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        raise EvaluationError(
            "parquet needs pyarrow, which is not installed: pip install 'segue[parquet]'"
        ) from None
    return pa, pq
