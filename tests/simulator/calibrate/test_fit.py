from __future__ import annotations

import numpy as np
import pytest

from simulator.calibrate.coupons import simulated_redemption
from simulator.calibrate.fit import as_toml, calibrate, conversion, price_elasticity
from simulator.calibrate.log import StoreLog
from simulator.errors import WorldError
from simulator.scenarios.scenario import parse_world
from tests.simulator.calibrate.logs import SEGMENT, coupons, sales, shop_log


def test_a_shop_is_found_again_in_its_log() -> None:
    fitted = calibrate(shop_log(sales=sales(-3.0), coupons=coupons(0.12)), "shop")
    (segment,) = fitted.world.population.segments
    assert fitted.notes == ()
    # As the shop was made: 0.8 visits a week, of which a known share ended in orders.
    made = SEGMENT.visit_shape / SEGMENT.visit_rate * 0.5
    assert fitted.timing.r / fitted.timing.alpha == pytest.approx(made, rel=0.25)
    assert segment.tastes == pytest.approx(SEGMENT.tastes, abs=0.25)
    assert segment.taste_sd == pytest.approx(SEGMENT.taste_sd, abs=0.25)
    assert conversion(fitted.world.population, 1.0) == pytest.approx(0.5)
    assert fitted.elasticity is not None
    found = price_elasticity(fitted.world.population)
    assert found == pytest.approx(fitted.elasticity.value, abs=1e-6)
    assert simulated_redemption(fitted.world, 40.0) == pytest.approx(0.12, abs=0.02)
    mean = fitted.world.population.spend_p * segment.spend_v / (segment.spend_q - 1.0)
    assert mean == pytest.approx(fitted.spend.mean)
    # And survives its scenario file.
    assert parse_world("shop", as_toml(fitted, 'Of "our" shop.')) == fitted.world


def test_what_the_log_does_not_tell_is_assumed_and_said() -> None:
    log = shop_log()
    bare = StoreLog(log.customer, log.day, log.value_cents, 0 * log.category - 1, (), log.end_day)
    fitted = calibrate(bare)
    assert price_elasticity(fitted.world.population) == pytest.approx(-2.62, abs=1e-6)
    assert [note.split(":")[0] for note in fitted.notes] == [
        "Tastes are even",
        "An elasticity of -2.62 is assumed",
        "Redemption of coupons is assumed",
    ]
    too_keen = calibrate(shop_log(coupons=coupons(1.0)))
    assert "more than shoppers of this log come for" in too_keen.notes[-1]


def test_a_log_too_thin_for_shoppers_is_refused() -> None:
    few = shop_log(60)
    with pytest.raises(WorldError, match="too thin a log"):
        calibrate(few)
    with pytest.raises(WorldError, match="holds none"):
        StoreLog(*(np.zeros(0, np.int64),) * 2, np.zeros(0), np.zeros(0, np.int64))
