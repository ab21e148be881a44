"""A world is found faithful to its own log, and not to another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.calibrate import fidelity as measured
from simulator.calibrate.fidelity import discriminator_auc, fidelity, simulated_log
from simulator.calibrate.fit import calibrate
from tests.simulator.calibrate.logs import coupons, sales, shop_log


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "N_GROUPS", 12)
    monkeypatch.setattr(measured, "N_PRICED", 200)
    monkeypatch.setattr(measured, "PRICED_DAYS", 70)


def test_a_simulated_shop_is_like_the_world_calibrated_on_it() -> None:
    log = shop_log(sales=sales(-2.0), coupons=coupons(0.12))
    found = fidelity(log, calibrate(log))
    apart = {one.name: one.distance for one in found.measures}
    assert found.n_customers == 600
    assert found.auc < 0.62
    assert apart["days between orders"] < 0.06
    assert apart["value of an order"] < 0.08
    assert apart["repeat orders of a customer"] < 0.08
    assert apart["elasticity"] < 0.8
    assert apart["redemption"] < 0.03
    refitted = next(one for one in found.measures if one.name == "fitted again")
    assert refitted.simulated == pytest.approx(refitted.log, rel=0.3)


def test_another_shops_customers_are_told_apart() -> None:
    log = shop_log(400)
    other = replace(log, value_cents=3.0 * log.value_cents)
    assert discriminator_auc(log, other) > 0.75
    again = simulated_log(log, calibrate(log).world, seed=1)
    assert again.first_days[1].tolist() == log.first_days[1].tolist()
    assert again.day.max() <= log.end_day
    assert np.isfinite(again.value_cents).all()
