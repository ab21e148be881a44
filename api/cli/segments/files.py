"""Visitors and segmentations in files: members as CSV or parquet, a fit as a model file."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from api.storage.base import StoreError
from api.storage.visitor_log import Crowd
from policy import model_file
from policy.errors import EvaluationError, ModelFileError
from policy.ope.formats.parquet import pyarrow_modules
from segments.cluster.segmentation import Segmentation
from segments.evaluation.migration import segment_ids
from segments.features.schema import SCHEMA

VISITOR, SEGMENT = "visitor", "segment"
_READINGS = {reading.name: reading for reading in SCHEMA.readings}


def write_members(path: Path, crowd: Crowd, segmentation: Segmentation) -> None:
    """Write who is in which segment.

    A `.csv` holds visitor, segment and features in natural units, such as days or cents, for people
    and other programs; a `.parquet` holds features on their own scale, for these commands.

    Raises:
        StoreError: The file's name ends otherwise, it cannot be written, or pyarrow is missing.
    """
    segments = segment_ids(segmentation, crowd.vectors)
    if path.suffix not in (".csv", ".parquet"):
        raise StoreError(f"--members is {path}: must end in .csv or .parquet")
    try:
        if path.suffix == ".csv":
            _write_csv(path, crowd, segments)
        else:
            arrow, parquet = _pyarrow()
            columns = {VISITOR: list(crowd.visitors), SEGMENT: segments}
            vectors = dict(zip(crowd.feature_names, crowd.vectors.T, strict=True))
            parquet.write_table(arrow.table({**columns, **vectors}), path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from None


def read_crowd(path: Path, target: str | None = None) -> Crowd:
    """Visitors of a parquet file: a column `visitor`, and one for each feature, on its own scale.

    Args:
        path: The file.
        target: A column of what each visitor went on to spend, in cents.

    Raises:
        StoreError: The file or a column is missing, or pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowInvalid) as error:
        raise StoreError(f"{path} cannot be read as parquet: {error}") from None
    needed = [VISITOR] if target is None else [VISITOR, target]
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise StoreError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )
    names = tuple(name for name in table.column_names if name not in (*needed, SEGMENT))
    try:
        columns = [table[name].to_numpy().astype(np.float32) for name in names]
        outcome = None if target is None else table[target].to_numpy().astype(np.float64)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path}: every column but {VISITOR} must be numbers: {error}") from None
    visitors = tuple(map(str, table[VISITOR].to_pylist()))
    vectors = np.stack(columns, axis=1) if columns else np.empty((len(visitors), 0), np.float32)
    return Crowd(None, visitors, vectors, names, outcome)


def write_fit(path: Path, segmentation: Segmentation, fitted_at: datetime | None) -> None:
    """Write a segmentation as a model file, with the time that its visitors are of.

    Raises:
        StoreError: The file cannot be written.
    """
    manifest, arrays = segmentation.state()
    if fitted_at is not None:
        manifest["fitted_at"] = fitted_at.astimezone(UTC).isoformat()
    try:
        path.write_bytes(model_file.dump(manifest, arrays))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from None


def read_fit(path: Path) -> tuple[Segmentation, datetime | None]:
    """A segmentation that `write_fit` wrote, and the time that its visitors are of.

    Raises:
        StoreError: There is no such file, or it holds none.
        SegmentationError: It is of another schema.
    """
    try:
        manifest, arrays = model_file.load(path.read_bytes())
    except (OSError, ModelFileError) as error:
        raise StoreError(
            f"{path} cannot be read as a segmentation: {error}; give the number of a fit of the "
            "store, or a file that `segue segments fit --out` wrote"
        ) from None
    at = manifest.get("fitted_at")
    fitted_at = datetime.fromisoformat(at) if isinstance(at, str) else None
    return Segmentation.from_state(manifest, arrays), fitted_at


def natural(feature: str, value: float) -> float:
    """A feature's value in its natural units; as it is where the feature is not one of ours."""
    reading = _READINGS.get(feature)
    return value if reading is None else reading.natural(value)


def _write_csv(path: Path, crowd: Crowd, segments: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([VISITOR, SEGMENT, *crowd.feature_names])
        rows = zip(crowd.visitors, segments, crowd.vectors.tolist(), strict=True)
        for visitor, segment, vector in rows:
            cells = zip(crowd.feature_names, vector, strict=True)
            written = [f"{natural(name, value):.6g}" for name, value in cells]
            writer.writerow([_inert(visitor), segment, *written])


def _inert(text: str) -> str:
    """A visitor's id is what anybody sent: a spreadsheet must not take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _pyarrow() -> tuple[Any, Any]:
    try:
        return pyarrow_modules()
    except EvaluationError as error:
        raise StoreError(str(error)) from None
