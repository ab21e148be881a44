from __future__ import annotations

import numpy as np
import pytest

from simulator.calibrate.log import StoreLog
from simulator.calibrate.tastes import fit_tastes, same_category
from simulator.errors import WorldError


def log_of(means: tuple[float, ...], sd: float, n: int = 400, n_orders: int = 12) -> StoreLog:
    rng = np.random.default_rng(1)
    weights = np.exp(np.array(means) + sd * rng.normal(size=(n, 4)))
    shares = weights / weights.sum(1, keepdims=True)
    category = np.array([rng.choice(4, size=n_orders, p=row) for row in shares]).ravel()
    who = np.repeat(np.arange(n), n_orders)
    day = np.tile(np.arange(n_orders), n)
    return StoreLog(who, day, np.ones(len(who)), category, ("a", "b", "c", "d"), n_orders)


@pytest.mark.parametrize("sd", [0.0, 0.7, 2.0])
def test_planted_tastes_are_found(sd: float) -> None:
    means = (0.9, 0.3, -0.3, -0.9)
    fit = fit_tastes(log_of(means, sd))
    assert fit.means == pytest.approx(means, abs=0.25)
    assert fit.sd == pytest.approx(sd, abs=0.2)


def test_customers_who_never_vary_and_a_log_too_thin() -> None:
    assert same_category(np.array([[3.0, 0, 0, 0], [0, 2.0, 0, 0]])) == 1.0
    assert same_category(np.array([[1.0, 1.0, 0, 0]])) == 0.0
    log = log_of((0.0, 0.0, 0.0, 0.0), 0.5, n=10)
    with pytest.raises(WorldError, match=r"known category is 120: must be 200 .*too thin"):
        fit_tastes(log)
