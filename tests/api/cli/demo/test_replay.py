import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.demo.replay import CHUNK, MAX_CHUNK_LINES, chunks, decision_body, order_event
from simulator.replay.baskets import Baskets, LineCounts
from simulator.replay.completejourney import load
from tests.simulator.replay.tables import Row, write_tables


def baskets_of(households: list[int], sizes: list[int]) -> Baskets:
    """Baskets of which only households and sizes matter."""
    n_lines = sum(sizes)
    lines = np.zeros(n_lines, dtype=np.int64)
    return Baskets(
        households=np.array(households),
        order_ids=np.arange(len(households)),
        timestamps=np.arange(len(households)).astype("datetime64[s]"),
        offsets=np.append(0, np.cumsum(sizes)),
        product_ids=lines,
        categories=lines,
        brands=lines,
        quantities=lines + 1,
        value_cents=lines,
        discount_cents=lines,
        category_names=("MILK",),
        brand_names=("Own",),
        counts=LineCounts(n_lines, 0, 0, 0, 0),
    )


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 400)), min_size=1, max_size=150))
def test_chunks_keep_time_order_and_hold_no_household_twice(rows: list[tuple[int, int]]) -> None:
    households, sizes = [row[0] for row in rows], [row[1] for row in rows]
    made = list(chunks(baskets_of(households, sizes)))
    assert [index for chunk in made for index in chunk] == list(range(len(rows)))
    for chunk in made:
        inside = [households[index] for index in chunk]
        assert 1 <= len(inside) == len(set(inside)) <= CHUNK
        assert len(inside) == 1 or sum(sizes[index] for index in chunk) <= MAX_CHUNK_LINES


def test_a_basket_on_the_wire(tmp_path: Path) -> None:
    rows = [Row(7, 10, 1, 2, 3.0, 0.5, hours=1), Row(7, 10, 2, 1, 0.99, hours=1)]
    write_tables(tmp_path, rows, [(1, "MILK", "Private"), (2, None, None)])
    basket = load(tmp_path, None, np.random.default_rng(0)).basket(0)
    assert decision_body(basket) == {
        "visitor": "household-7",
        "placement": "home_tile",
        "context": {},
        "timestamp": "2017-01-01T10:00:00Z",
    }
    event = order_event(basket)
    assert (event["event"], event["userId"]) == ("Order Completed", "household-7")
    assert event["properties"]["total"] == pytest.approx(3.99)
    assert event["properties"]["products"] == [
        {"product_id": "1", "category": "MILK", "brand": "Private", "price": 1.5, "quantity": 2},
        {"product_id": "2", "category": None, "brand": None, "price": 0.99, "quantity": 1},
    ]
    json.dumps(event, allow_nan=False)
