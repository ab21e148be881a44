"""Logs in parquet, with the columns of ``policy.ope.formats.table``. Needs pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import EvaluationError, LogError
from policy.ope.formats.table import CHUNK_ROWS, Columns, from_table, to_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from policy.ope.log import Decisions
    from policy.ope.screen import Screen


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
    file = _open(path)
    columns.check(file.schema_arrow.names)
    actions = actions or _actions(file, columns)
    for batch in file.iter_batches(chunk_rows):
        table = {
            name: column.to_numpy(zero_copy_only=False)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        yield from_table(table, columns, actions, screen)


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
    arrow, parquet = _pyarrow()
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
        found.update(str(value) for value in batch.columns[0].unique().to_pylist())
    return tuple(sorted(found))


def _open(path: Path) -> Any:
    arrow, parquet = _pyarrow()
    try:
        return parquet.ParquetFile(path)
    except (OSError, arrow.ArrowException) as cause:
        raise LogError(f"{path} cannot be read as parquet: {cause}") from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # optional
        import pyarrow.parquet as pq  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        raise EvaluationError(
            "parquet needs pyarrow, which is not installed: pip install 'segue[parquet]'"
        ) from None
    return pa, pq
