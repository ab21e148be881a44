from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.calibrate.log import Sales
from simulator.calibrate.price import fit_elasticity
from simulator.errors import WorldError
from tests.simulator.calibrate.logs import sales


@pytest.mark.parametrize("true", [-0.5, -2.0, -4.0])
def test_a_planted_elasticity_is_found(true: float) -> None:
    fit = fit_elasticity(sales(true))
    assert abs(fit.value - true) < 4.0 * fit.standard_error + 0.03
    assert fit.standard_error < 0.1
    assert fit.n_products == 40


def test_rows_of_one_product_and_week_are_added_up() -> None:
    whole = sales(-2.0)
    halves = Sales(*(np.concatenate([column, column]) for column in (whole.product, whole.week)),
                   np.concatenate([whole.units, whole.units]) / 2.0,
                   np.concatenate([whole.price, whole.price]))  # fmt: skip
    assert fit_elasticity(halves).value == pytest.approx(fit_elasticity(whole).value)


def test_what_sells_seldom_is_left_out_and_biases_nothing() -> None:
    steady, seldom = sales(-2.0), sales(-2.0, mean=0.7)
    both = Sales(*(np.concatenate([getattr(steady, name), getattr(seldom, name) + add])
                   for name, add in (("product", 1_000), ("week", 0), ("units", 0.0),
                                     ("price", 0.0))))  # fmt: skip
    fit = fit_elasticity(both)
    assert fit.n_products < 60
    assert abs(fit.value + 2.0) < 0.15


def test_a_log_that_tells_nothing_of_prices_is_refused() -> None:
    with pytest.raises(WorldError, match=r"products is 9: must be 10 .*too thin"):
        fit_elasticity(sales(-2.0, n_products=9))
    with pytest.raises(WorldError, match="prices hardly varied"):
        fit_elasticity(sales(-2.0, spread=0.001))
    few = sales(-2.0)
    early = few.week < 7
    kept = {name: getattr(few, name)[early] for name in ("product", "week", "units", "price")}
    with pytest.raises(WorldError, match="products is 0"):
        fit_elasticity(replace(few, **kept))
