from __future__ import annotations

import csv
import gzip
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simulator.calibrate.purchases import Purchases, fit_spend, fit_timing, purchases_of
from simulator.dynamics.effects import MECHANISMS, Effects
from simulator.dynamics.population import Population, Segment
from simulator.dynamics.world import World
from simulator.errors import WorldError
from tests.simulator.lives import lives

FOLDER = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[4] / "shared" / "data")) / "cdnow"
needs_cdnow = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no CDNOW data at {FOLDER}")


@needs_cdnow
def test_the_published_fit_of_cdnow_is_found() -> None:
    """Fader, Hardie, Lee (2005): r .243, alpha 4.414, a .793, b 2.426, log-likelihood -9582.4."""
    with (FOLDER / "cdnow_customers_summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    frequency, recency, age = (
        np.array([float(row[name]) for row in rows]) for name in ("frequency", "recency", "T")
    )
    fit = fit_timing(Purchases(frequency, recency, age))
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=2e-3)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.1)


@needs_cdnow
def test_the_published_spend_of_cdnow_is_found() -> None:
    """Fader, Hardie (2013): p 6.25, q 3.74, v 15.45, from the 39 weeks of the raw log."""
    customers, days, values = [], [], []
    with gzip.open(FOLDER / "CDNOW_sample.txt.gz", "rt") as file:
        for line in file:
            _, customer, when, _, dollars = line.split()
            customers.append(int(customer))
            days.append(date.fromisoformat(when).toordinal())
            values.append(float(dollars))
    end = date(1997, 9, 30).toordinal()
    log = purchases_of(np.array(customers), np.array(days), np.array(values), end)
    assert len(log.frequency) == 2_357
    assert int((log.frequency > 0).sum()) == 946
    fit = fit_spend(log)
    assert (fit.p, fit.q, fit.v) == pytest.approx((6.25, 3.74, 15.45), rel=0.02)
    timing = fit_timing(log)
    assert (timing.r, timing.alpha) == pytest.approx((0.243, 4.414), abs=5e-3)


def test_a_simulated_log_gives_back_the_parameters_that_it_was_made_with() -> None:
    timing_only = Effects(fatigue_churn=0.0, loyalty_keep=0.0).without(*set(MECHANISMS) - {"churn"})
    segment = Segment(
        visit_shape=0.8, visit_rate=2.0, dropout_a=0.9, dropout_b=3.0, spend_q=3.7, spend_v=1500.0,
        store_share=0.0,
    )  # fmt: skip
    world = World(effects=timing_only._replace(margin_rate=0.5), population=Population((segment,)))
    _, history = lives(world, np.arange(4_000), 7 * 52)
    day, who = np.nonzero(history.ordered)
    # Shoppers are born as customers: their first purchase was on the day before the first.
    shoppers = np.concatenate([np.arange(4_000), who])
    days = np.concatenate([np.zeros(4_000, np.int64), day + 1])
    values = np.concatenate([np.ones(4_000), history.revenue[day, who]])
    log = purchases_of(shoppers, days, values, 7 * 52)
    fit, spend = fit_timing(log), fit_spend(log)
    assert fit.r / fit.alpha == pytest.approx(0.4, rel=0.2)
    assert fit.a / (fit.a + fit.b) == pytest.approx(0.9 / 3.9, rel=0.2)
    assert spend.p == pytest.approx(6.25, rel=0.15)
    assert spend.mean == pytest.approx(6.25 * 1500.0 / 2.7, rel=0.08)


def test_a_log_too_thin_or_out_of_order_is_refused_with_the_remedy() -> None:
    few = np.ones(20)
    with pytest.raises(WorldError, match=r"too thin a log.*observe longer"):
        Purchases(few, few, 2 * few)
    many = np.ones(200)
    with pytest.raises(WorldError, match=r"customer 0 .* recency <= age"):
        Purchases(many, 3 * many, 2 * many)
    with pytest.raises(WorldError, match="spend is None"):
        fit_spend(Purchases(many, many, 2 * many))
