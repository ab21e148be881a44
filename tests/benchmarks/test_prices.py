"""The benchmark of prices: shops whose best price is known, and learners that pass through them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.prices import GRID, SETTINGS, SHOPS, best_rows, run


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_the_best_price_lies_inside_of_the_range(shop) -> None:
    rng = np.random.default_rng(0)
    contexts = np.column_stack([np.ones(500), rng.uniform(-1, 1, (500, 5))])
    best = GRID[shop.revenues(contexts).argmax(axis=1)]
    assert GRID[0] < best.min() <= best.max() < GRID[-1]
    assert (np.ptp(best) == 0.0) == (shop.name == "one price for all")


@pytest.mark.parametrize("name", ["cats-linucb", "ladder-8"])
def test_a_pass_repeats_but_for_its_time(name: str) -> None:
    (setting,) = [one for one in SETTINGS if one.name == name]
    first, again = (run(setting, SHOPS[1], 60, seed=1) for _ in range(2))
    assert first[:2] == again[:2]
    assert 0.0 < first.share < 1.0


def test_the_best_setting_stands_for_its_family_and_what_is_absent_is_said() -> None:
    rows = [
        {"family": SETTINGS[0].family, "share": share, "late_share": 0.5, "round_us": 9.0}
        for share in (0.7, 0.8)
    ]
    table = best_rows(rows)
    assert table[0] == (SETTINGS[0].family, 0.8, 0.5, 9.0)
    assert table[-1] == ("VW --cats, best setting: not installed", None, None, None)
