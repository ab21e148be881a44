from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.calibrate.purchases import Timing, fit_timing, purchases_of
from simulator.calibrate.seasons import expected_repeats, fit_seasons
from tests.simulator.calibrate.logs import SHOP, shop_log

if TYPE_CHECKING:
    from simulator.calibrate.log import StoreLog

CDNOW = Timing(0.243, 4.414, 0.793, 2.426, 0.0)


def test_the_published_expectation_of_cdnow() -> None:
    """Fader, Hardie, Lee (2005): a customer of CDNOW buys 1.2 times again within 39 weeks."""
    found = expected_repeats(CDNOW, np.array([0.0, 39.0, 78.0]))
    assert found[0] == 0.0
    assert found[1] == pytest.approx(1.08, abs=0.15)
    assert found[1] < found[2] < 2.0 * found[1]
    beside_one = replace(CDNOW, a=1.0)
    assert np.isfinite(expected_repeats(beside_one, np.array([39.0]))).all()


def season_of(log: StoreLog) -> np.ndarray:
    purchases = purchases_of(log.customer, log.day, log.value_cents, log.end_day)
    return fit_seasons(log, fit_timing(purchases))


def test_a_planted_season_is_found_beside_customers_who_come_and_go() -> None:
    demand = np.ones(364)
    demand[140:168] = 1.8
    seasonal = season_of(shop_log(world=replace(SHOP, demand=tuple(demand))))
    plain = season_of(shop_log())
    # Drawn to 1 by the prior, the more the fewer come.
    assert 1.25 < seasonal[20:24].mean() / plain[20:24].mean() < 1.8
    assert np.abs(plain[2:42] - 1.0).mean() < 0.15
    # Weeks that nobody saw are like any other.
    assert (plain[44:] == 1.0).all()
