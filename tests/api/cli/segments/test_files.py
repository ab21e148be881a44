"""Members and fits in files."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from api.cli.segments.files import read_crowd, read_fit, write_fit, write_members
from api.storage.base import StoreError
from api.storage.visitor_log import Crowd
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.segmentation import Segmentation

VECTORS = np.array([[0.1], [0.9]], np.float32)
CROWD = Crowd(None, ("=1+1", "ann"), VECTORS, ("orders",))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fitted() -> Segmentation:
    cohort = Cohort(VECTORS, CROWD.feature_names)
    return fit_segments(KMeans(2), cohort, previous=None, rng=np.random.default_rng(0))


def test_ids_that_look_like_formulas_stay_text_in_a_spreadsheet(tmp_path: Path) -> None:
    write_members(tmp_path / "m.csv", CROWD, fitted())
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["visitor"] for row in rows] == ["'=1+1", "ann"]
    assert len({row["segment"] for row in rows}) == 2


def test_parquet_is_read_as_it_was_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    write_members(tmp_path / "m.parquet", CROWD, fitted())
    again = read_crowd(tmp_path / "m.parquet")
    assert (again.visitors, again.feature_names) == (CROWD.visitors, CROWD.feature_names)
    assert again.vectors.tobytes() == VECTORS.tobytes()
    with pytest.raises(StoreError, match="has no column spent; it has visitor, segment, orders"):
        read_crowd(tmp_path / "m.parquet", "spent")
    with pytest.raises(StoreError, match="cannot be read as parquet"):
        read_crowd(tmp_path / "nowhere.parquet")


def test_a_fit_is_read_as_it_was_written_with_its_time(tmp_path: Path) -> None:
    first = fitted()
    write_fit(tmp_path / "fit.segue", first, NOON)
    again, at = read_fit(tmp_path / "fit.segue")
    assert at == NOON
    assert again.segments == first.segments
    assert again.assign_many(VECTORS).tolist() == first.assign_many(VECTORS).tolist()
    write_fit(tmp_path / "fit.segue", first, None)
    assert read_fit(tmp_path / "fit.segue")[1] is None


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_fit(tmp_path / "no" / "fit.segue", fitted(), NOON)
    with pytest.raises(StoreError, match="cannot be written"):
        write_members(tmp_path / "no" / "m.csv", CROWD, fitted())
