"""The benchmark's claim at a smaller size: budgets are spent, well, and never overdrawn."""

import numpy as np
import pytest

from benchmarks.budget import measure
from benchmarks.pacing.run import HOLD_US, Terms
from benchmarks.pacing.stock import sell_out
from benchmarks.pacing.world import visits

N_DAYS = 35
DAYS = visits(N_DAYS, 120, HOLD_US, np.random.default_rng(3))


@pytest.mark.parametrize(
    ("terms", "spent", "earned"),
    [
        (Terms("week", 7, held=False, cents_a_day=8_000), 0.98, 0.95),
        (Terms("all days", None, held=False, cents_a_day=8_000), 0.98, 0.95),
        (Terms("all days", None, held=True, cents_a_day=4_000), 0.9, 0.95),
    ],
    ids=["a week at once", "all days at once", "all days held"],
)
def test_budgets_last_and_earn_what_the_best_fixed_price_does(
    terms: Terms, spent: float, earned: float
) -> None:
    """Five weeks begin with learning the price, so bounds are wider than for 200 days."""
    row = measure(terms, DAYS, N_DAYS, n_prices=5)
    assert spent <= row.spent <= 1.0
    assert row.committed <= 1.0
    assert row.earned >= earned


def test_a_stock_is_sold_to_the_last_unit_and_no_further() -> None:
    sale = sell_out(300, 3, 24, np.random.default_rng(1))
    assert sale.sold == sale.most_taken == 300
    assert sale.asked > 10_000
