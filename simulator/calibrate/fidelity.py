"""How alike a calibrated world is to the log it was calibrated on: the same measures on both.

Every customer of the log is lived again by a simulated one, from the same first day to the same
end, with nothing done to them. What was fitted is then fitted on the simulated log by the same
code, and a classifier tries to tell the two kinds of customers apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from simulator.calibrate.coupons import simulated_redemption
from simulator.calibrate.log import Sales, StoreLog
from simulator.calibrate.price import fit_elasticity
from simulator.calibrate.purchases import fit_spend, fit_timing, purchases_of
from simulator.crowd import Crowd
from simulator.dynamics.world import DAYS_A_YEAR
from simulator.errors import WorldError

if TYPE_CHECKING:
    from simulator.calibrate.fit import Calibration
    from simulator.calibrate.purchases import Spend, Timing
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]

FREQUENCIES = (0, 1, 2, 3, 5, 10, 20, 50)
"""Repeat purchases are told in these classes: each from its number to below the next."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
N_GROUPS, N_PRICED, PRICED_DAYS, PRICE_SPREAD = 25, 500, 182, 0.15
FEATURES = ("repeats", "recency", "mean_value", "value_spread", "mean_gap", "gap_spread")


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing in the log and in the simulated log, and how far they are apart.

    Args:
        name: What is compared.
        log, simulated: Quantiles, shares or one number.
        labels: Of the numbers.
        distance: Kolmogorov and Smirnov's for distributions, total variation for shares, the
            difference for one number; None where there is nothing to compare.
    """

    name: str
    labels: tuple[str, ...]
    log: tuple[float, ...]
    simulated: tuple[float, ...]
    distance: float | None


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The report.

    Args:
        measures: In order of interest.
        auc: Of the classifier, 0.5 where it cannot tell customers apart, 1 where it always can.
        n_customers: Of the log, and as many simulated.
    """

    measures: tuple[Measure, ...]
    auc: float
    n_customers: int


def fidelity(log: StoreLog, calibration: Calibration, *, seed: int = 0) -> Fidelity:
    """Compare a log with the world that was calibrated on it.

    Args:
        log: The same.
        calibration: Of it.
        seed: Of the simulated customers and of the classifier's folds.
    """
    twin = simulated_log(log, calibration.world, seed=seed)
    ours, theirs = (
        purchases_of(one.customer, one.day, one.value_cents, log.end_day) for one in (log, twin)
    )
    gaps = [_gaps(one) for one in (log, twin)]
    values = [_repeat_values(one) / 100.0 for one in (log, twin)]
    labels = tuple(f"{share:.0%}" for share in QUANTILES)
    answer = None if calibration.elasticity is None else calibration.elasticity.value
    measures = [
        _distribution("days between orders", labels, *gaps),
        _distribution("value of an order", labels, *values),
        _frequencies(ours.frequency, theirs.frequency),
        _refitted(calibration, twin, log.end_day),
        _one("elasticity", answer, simulated_elasticity(calibration.world, seed=seed)),
    ]
    if log.coupons is not None:
        again = simulated_redemption(calibration.world, log.coupons.days, seed=seed)
        measures.append(_one("redemption", calibration.redemption, again))
    return Fidelity(tuple(measures), discriminator_auc(log, twin, seed=seed), len(ours.frequency))


def simulated_log(log: StoreLog, world: World, *, seed: int = 0) -> StoreLog:
    """The customers of a log, from their first orders on, as simulated ones with nothing done."""
    customers, first = log.first_days
    n = len(customers)
    crowd = Crowd(world, n, seed=seed, observe="oracle")
    # They are born as customers on the day after their first order.
    crowd.state[0] = first + 1
    who, when = [np.arange(n)], [first]
    values, liked = [np.full(n, np.nan)], [np.full(n, -1.0)]
    for _ in range(log.end_day - int(first.min())):
        day = crowd.state[0].copy()
        outcome = crowd.live(np.zeros(n, np.int64))
        ordered = np.flatnonzero((outcome.ordered > 0.0) & (day <= log.end_day))
        who.append(ordered)
        when.append(day[ordered].astype(np.int64))
        values.append(outcome.revenue[ordered])
        liked.append(outcome.order_category[ordered])
    value = np.concatenate(values)
    customer = np.concatenate(who)
    # The first order is not simulated: it is worth what the customer's others are.
    value = np.where(np.isnan(value), 0.0, value)
    return StoreLog(
        customer, np.concatenate(when), value, np.concatenate(liked).astype(np.int64),
        log.category_names, log.end_day,
    )  # fmt: skip


def simulated_elasticity(world: World, *, seed: int = 0) -> float:
    """Estimated as in a log, on shoppers in groups who each meet prices of their own.

    Returns:
        NaN where too little is sold to tell.
    """
    rng = np.random.default_rng(seed)
    products, weeks, units, prices = [], [], [], []
    for group in range(N_GROUPS):
        path = 1.0 + PRICE_SPREAD * rng.uniform(-1.0, 1.0, DAYS_A_YEAR // 7)
        own = replace(world, market=tuple(np.repeat(path, 7)))
        crowd = Crowd(own, N_PRICED, seed=seed + 1 + group, observe="oracle")
        sold = np.zeros(PRICED_DAYS)
        for day in range(PRICED_DAYS):
            sold[day] = crowd.live(np.zeros(N_PRICED, np.int64)).ordered.sum()
        of_weeks = sold.reshape(-1, 7).sum(1)
        for week in np.flatnonzero(of_weeks > 0.0):
            products.append(group)
            weeks.append(week)
            units.append(of_weeks[week])
            prices.append(path[week])
    found = Sales(np.array(products), np.array(weeks), np.array(units), np.array(prices))
    try:
        return fit_elasticity(found).value
    except WorldError:
        return float("nan")


def discriminator_auc(log: StoreLog, twin: StoreLog, *, seed: int = 0) -> float:
    """How well gradient-boosted trees tell customers from simulated ones, over five folds."""
    rows = [customer_features(one) for one in (log, twin)]
    is_real = np.repeat([1, 0], [len(rows[0]), len(rows[1])])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    trees = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=15, random_state=seed)
    found = cross_val_predict(
        trees, np.concatenate(rows), is_real, cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(is_real, found[:, 1]))


def customer_features(log: StoreLog) -> Array:
    """A row for each customer, columns as in ``FEATURES``; NaN for what is not there."""
    log_of = purchases_of(log.customer, log.day, log.value_cents, log.end_day)
    order = np.lexsort((log.day, log.customer))
    _, who = np.unique(log.customer[order], return_inverse=True)
    n = who.max() + 1
    again = np.flatnonzero(np.diff(who, prepend=-1) == 0)
    value, gap = log.value_cents[order][again], np.diff(log.day[order], prepend=0)[again]
    mean_value, value_spread = _moments(who[again], value, n)
    mean_gap, gap_spread = _moments(who[again], gap.astype(np.float64), n)
    columns = (log_of.frequency, log_of.recency, mean_value, value_spread, mean_gap, gap_spread)
    return np.column_stack(columns)


def _moments(who: npt.NDArray[np.int64], values: Array, n: int) -> tuple[Array, Array]:
    counts = np.bincount(who, minlength=n).astype(np.float64)
    some = np.where(counts > 0.0, counts, np.nan)
    mean = np.bincount(who, weights=values, minlength=n) / some
    square = np.bincount(who, weights=values**2, minlength=n) / some
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _gaps(log: StoreLog) -> Array:
    order = np.lexsort((log.day, log.customer))
    same = np.diff(log.customer[order]) == 0
    return np.asarray(np.diff(log.day[order])[same], np.float64)


def _repeat_values(log: StoreLog) -> Array:
    order = np.lexsort((log.day, log.customer))
    again = np.diff(log.customer[order], prepend=-1) == 0
    return np.asarray(log.value_cents[order][again], np.float64)


def _distribution(name: str, labels: tuple[str, ...], ours: Array, theirs: Array) -> Measure:
    log, simulated = (tuple(np.quantile(one, QUANTILES).tolist()) for one in (ours, theirs))
    return Measure(name, labels, log, simulated, float(ks_2samp(ours, theirs).statistic))


def _frequencies(ours: Array, theirs: Array) -> Measure:
    edges = (*FREQUENCIES, np.inf)
    log, simulated = (np.histogram(one, edges)[0] / len(one) for one in (ours, theirs))
    labels = tuple(f"{low}+" for low in FREQUENCIES)
    apart = 0.5 * float(np.abs(log - simulated).sum())
    name = "repeat orders of a customer"
    return Measure(name, labels, tuple(log.tolist()), tuple(simulated.tolist()), apart)


def _refitted(calibration: Calibration, twin: StoreLog, end_day: int) -> Measure:
    again = purchases_of(twin.customer, twin.day, twin.value_cents, end_day)
    timing, spend = fit_timing(again), fit_spend(again)
    labels = ("orders a week", "leave after an order", "value")
    log = _in_words(calibration.timing, calibration.spend)
    return Measure("fitted again", labels, log, _in_words(timing, spend), None)


def _in_words(timing: Timing, spend: Spend) -> tuple[float, float, float]:
    leave = timing.a / (timing.a + timing.b)
    return timing.r / timing.alpha, leave, spend.mean / 100.0


def _one(name: str, ours: float | None, theirs: float) -> Measure:
    if ours is None:
        return Measure(name, ("",), (float("nan"),), (theirs,), None)
    return Measure(name, ("",), (ours,), (theirs,), abs(ours - theirs))
