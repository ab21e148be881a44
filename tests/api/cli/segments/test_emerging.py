"""`segue segments emerging`: on the store of a real engine to which a new crowd came."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.cli.segments.files import read_fit
from tests.api.cli.segments.shop import fitted, order, orders_of, run

N_NEW = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty visitors of two kinds; since the fit forty came who buy thrice a day for little."""
    folder = tmp_path_factory.mktemp("shop")

    async def work(engine: Any) -> None:
        for i in range(60):
            await engine.intake.batch(orders_of(i), None, 0)
        await fitted(engine)
        for i in range(N_NEW):
            orders = [order(f"new{i}", n, 21 + n / 3 + i / 1440, 2.0 + i / 100) for n in range(12)]
            await engine.intake.batch(orders, None, 0)

    run(folder, work)
    return folder / "s.db"


def emerging(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["segments", "emerging", *map(str, arguments)])


def said(*arguments: object) -> str:
    result = emerging(*arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return " ".join(result.stdout.split())


def test_a_crowd_that_came_since_the_fit_is_proposed(store: Path) -> None:
    found = said("--source", store)
    assert f"Of {N_NEW} visitors with an event since fit 1, {N_NEW} are unlike" in found
    assert "there: 1." in found
    assert "│ 1 │ 40 │ 100.0% │ 0.0% │" in found.replace("┃", "│")


def test_an_accepted_crowd_is_written_as_a_segment(store: Path, tmp_path: Path) -> None:
    file, before = tmp_path / "grown.segue", store.read_bytes()
    found = said("--source", store, "--accept", 1, "--out", file)
    assert "version 2; 2 kept, s3 split from s1" in found
    segmentation, _ = read_fit(file)
    sizes = {segment.id: segment.size for segment in segmentation.segments}
    assert sizes == {"s1": 30, "s2": 30, "s3": N_NEW}
    assert store.read_bytes() == before


def test_few_are_no_crowd(store: Path) -> None:
    assert "there: 0." in said("--source", store, "--min-visitors", N_NEW + 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--accept", "1"), "give both"),
        (("--accept", "7", "--out", "x.segue"), "--accept is 7: there are 1 proposals"),
        (("--fit", "3"), "holds no fit 3"),
    ],
)
def test_what_cannot_be_is_said(store: Path, arguments: tuple[str, ...], told: str) -> None:
    result = emerging("--source", store, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_file_of_features_is_refused(tmp_path: Path, store: Path) -> None:
    file = tmp_path / "grown.segue"
    said("--source", store, "--accept", 1, "--out", file)
    result = emerging("--source", tmp_path / "visitors.parquet", "--fit", file)
    assert result.exit_code == 2
    assert "found in a store" in " ".join(result.stderr.split())
