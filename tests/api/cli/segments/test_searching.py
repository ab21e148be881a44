"""`segue segments search`: on the store of a real engine, and on files."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.storage.visitor_log import VisitorLog
from segments.features.schema import SCHEMA
from tests.api.service import configuration, write_configuration

DAYS = ("--outcome-days", "10", "--draws", "2")


def search(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["segments", "search", *map(str, arguments)])


def said(*arguments: object) -> str:
    result = search(*arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return " ".join(result.stdout.split())


def loose(tmp_path: Path, store: Path, **criteria: float) -> Path:
    """Criteria that a shop of sixty can hold."""
    bars = {"ari_mean": -1.0, "ari_min": -1.0, "smallest": 0.0, "over_baseline": -1.0, "churn": 1.0}
    settings = configuration(
        service={"database": str(store)}, segments={"criteria": {**bars, **criteria}}
    )
    return write_configuration(tmp_path, settings)


def test_candidates_are_measured_beside_the_fit_in_use(store: Path, tmp_path: Path) -> None:
    found = said("-c", loose(tmp_path, store), *DAYS, "--only", "k=3,", "--only", "tiers")
    for name in ("k-means, k=3, all", "k-means, k=3, money", "expected-spend tiers"):
        assert name in found
    assert "in use: fit 2" in found
    assert "HDBSCAN" not in found
    assert re.search(
        r"Of the later period's variance it foresees -?\d+\.\d%, the one in use", found
    )


def test_only_a_winner_that_may_take_over_is_written(store: Path, tmp_path: Path) -> None:
    file, before = tmp_path / "new.segue", store.read_bytes()
    strict = loose(tmp_path, store, smallest=0.9)
    refused = said("-c", strict, *DAYS, "--only", "k=3, all", "--out", file)
    assert "It does not take over: it misses the criteria: smallest segment" in refused
    assert not file.exists()
    assert store.read_bytes() == before


def test_a_shop_without_a_fit_takes_the_first_that_holds(tmp_path: Path) -> None:
    parquet = write_shop(tmp_path / "visitors.parquet")
    file = tmp_path / "new.segue"
    found = said(
        "--source", parquet, "--target", "later", *DAYS, "--only", "k=3, all", "--out", file
    )
    assert "It may take over: it has nothing to beat" in found
    assert "version 1; s1 born, s2 born, s3 born" in found
    shown = CliRunner().invoke(
        app, ["segments", "show", "--source", str(parquet), "--fit", str(file), "--target", "later"]
    )
    assert "new.segue, 300 visitors" in shown.stdout


def write_shop(path: Path) -> Path:
    """Three kinds of visitors in a file, of which one spends most."""
    pa = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet needs pyarrow")
    rng = np.random.default_rng(0)
    kind = np.arange(300) % 3
    columns = {"visitor": [f"v{i}" for i in range(300)]}
    for position, name in enumerate(SCHEMA.feature_names):
        columns[name] = ((kind + position) % 3 * 0.4 + rng.normal(0, 0.03, 300)).astype(np.float32)
    columns["later"] = np.array([100.0, 900.0, 400.0])[kind] + rng.normal(0.0, 50.0, 300)
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--outcome-days", "900"), "choose fewer --outcome-days"),
        (("--only", "kmenas", *DAYS), "must be part of k-means, k=3, all"),
        (("--fit", "9", *DAYS), "holds no fit 9"),
    ],
)
def test_what_cannot_be_is_said(store: Path, arguments: tuple[str, ...], told: str) -> None:
    result = search("--source", store, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_search_ends_in_a_fit_under_the_names_in_use(store: Path, tmp_path: Path) -> None:
    assert len(VisitorLog(store).fits()) == 2
    file = tmp_path / "new.segue"
    found = said(
        "-c", loose(tmp_path, store), "--fit", 1, *DAYS, "--only", "k=4, money", "--out", file
    )
    assert file.exists() == ("It may take over" in found)
    if file.exists():
        assert "version 2; " in found
