from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from simulator.calibrate.readers import read_log
from simulator.errors import WorldError

DATA = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[4] / "shared" / "data"))
LINES = """customer,date,value,category,product,units
ann,2026-01-05,10.00,Tea,oolong,2
ann,2026-01-05,2.50,Salt,sea,1
bob,2026-01-06,0,,,
ann,2026-02-01,3,Tea,oolong,1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_become_orders_on_the_simulated_calendar(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, LINES))
    # 2026 begins on a Thursday: its calendar begins on Monday, 29 December.
    assert log.day.tolist() == [7, 34, 8]
    assert log.value_cents.tolist() == [1_250.0, 300.0, 0.0]
    assert [log.category_names[c] if c >= 0 else None for c in log.category] == ["Tea", "Tea", None]
    assert log.end_day == 34
    assert log.sales is not None
    assert log.sales.price.tolist() == [5.0, 2.5, 3.0]
    assert log.sales.week.tolist() == [1, 1, 4]
    bare = read_log(written(tmp_path, "customer,date,value\nann,2026-01-05,1\n"))
    assert (bare.sales, bare.coupons, bare.category_names) == (None, None, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer,date\nann,2026-01-05\n", "has no column 'value'"),
        ("customer,date,value\n", "holds no lines"),
        ("customer,date,value\nann,5 May,1\n", r"date is '5 May': must be such as .*line 2"),
        ("customer,date,value\nann,2026-01-05,-1\n", r"value in line 2 .*at least 0"),
        ("customer,date,value\nann,2026-01-05,nan\n", r"value in line 2 .*at least 0"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=told):
        read_log(written(tmp_path, text))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="cannot be read"):
        read_log(tmp_path / "nowhere.csv")


@pytest.mark.skipif(not (DATA / "cdnow").is_dir(), reason=f"no CDNOW data at {DATA}")
def test_cdnow() -> None:
    log = read_log(DATA / "cdnow" / "CDNOW_sample.txt.gz")
    assert len(log.first_days[0]) == 2_357
    assert log.first_days[1].max() < 7 * 14  # a cohort of one quarter
    assert log.value_cents.sum() == pytest.approx(24_407_800, rel=0.02)


@pytest.mark.skipif(not (DATA / "completejourney").is_dir(), reason=f"no data at {DATA}")
def test_complete_journey() -> None:
    pytest.importorskip("pyarrow", reason="needs pip install 'segue[parquet]'")
    log = read_log(DATA / "completejourney")
    assert len(log.first_days[0]) == 1_475
    assert log.category_names[0] == "GROCERY"
    assert log.coupons is not None
    assert log.coupons.redeemed.mean() == pytest.approx(0.120, abs=0.001)
    assert log.sales is not None
    assert np.isfinite(log.sales.price).all()
