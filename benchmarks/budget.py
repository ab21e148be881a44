"""Budgets over 200 simulated days: what they spend and earn, beside the best fixed threshold.

Where it stands: `python -m benchmarks.budget [--json FILE] [--quick]`. Each budget offers coupons
to visitors whose number, worth and habits change (`benchmarks.pacing.world`), at its shadow price:
what earns most after its cost, if anything does and there is money for it. The same budget at a
fixed price a cent is the rival, under the same rules: the price that earns most on these very days,
searched after they are over. Then a thing that sells out while 200 requests are always in flight.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.pacing.run import HOLD_US, Run, Terms, run
from benchmarks.pacing.stock import Sale, sell_out
from benchmarks.pacing.world import START_US, Visits, visits
from benchmarks.report import Table, parse_options, publish

N_DAYS, N_A_DAY = 203, 500
"""Whole weeks, so that every period is over in the end."""

TERMS = (
    Terms("a day, spent at once", 1, held=False, cents_a_day=20_000),
    Terms("a week, spent at once", 7, held=False, cents_a_day=20_000),
    Terms("all days, spent at once", None, held=False, cents_a_day=20_000),
    Terms("a day, held until redeemed", 1, held=True, cents_a_day=10_000),
    Terms("a week, held until redeemed", 7, held=True, cents_a_day=10_000),
    Terms("all days, held until redeemed", None, held=True, cents_a_day=10_000),
)
PRICES = (5e-4, 0.1)
"""Range in which the best fixed price is searched, in currency units per cent."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of budget.

    Args:
        spent: Share of all amounts.
        committed: Largest share of the amounts so far that was spent or held at any time.
        best_spent: Share that the best fixed price spent.
        earned: Share of what the best fixed price earned.
    """

    budget: str
    spent: float
    committed: float
    best_price: float
    best_spent: float
    earned: float


def measure(terms: Terms, days: Visits, n_days: int, n_prices: int) -> Row:
    """Ours and the best fixed price on the same days."""
    fresh = terms.budget(START_US, n_days)
    total_cents = terms.cents_a_day * n_days
    ours = run(fresh, days)
    best_price, best = _in_hindsight(terms, days, n_days, n_prices)
    return Row(
        terms.name,
        ours.spent_cents / total_cents,
        ours.most_committed,
        best_price,
        best.spent_cents / total_cents,
        ours.earned / best.earned,
    )


def _in_hindsight(terms: Terms, days: Visits, n_days: int, n_prices: int) -> tuple[float, Run]:
    """A grid over the whole range, then one between the neighbours of its best point."""

    def at(price: float) -> Run:
        return run(terms.budget(START_US, n_days), days, price)

    tried: dict[float, Run] = {}
    low, high = PRICES
    for _ in range(2):
        prices = np.geomspace(low, high, n_prices).tolist()
        tried |= {price: at(price) for price in prices if price not in tried}
        best = max(tried, key=lambda price: tried[price].earned)
        ordered = sorted(tried)
        i = ordered.index(best)
        low, high = ordered[max(i - 1, 0)], ordered[min(i + 1, len(ordered) - 1)]
    return best, tried[best]


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_days, n_prices = (28, 6) if options.quick else (N_DAYS, 10)
    days = visits(n_days, N_A_DAY, HOLD_US, np.random.default_rng(0))
    rows = [measure(terms, days, n_days, n_prices) for terms in TERMS]
    units = 100 * n_days
    sale = sell_out(units, n_days, 24, np.random.default_rng(1))
    tables = [_budgets(rows, n_days, len(days.times_us)), _stock(sale, units, n_days)]
    numbers = {"n_days": n_days, "n_visits": len(days.times_us)}
    publish(
        "budget",
        tables,
        {**numbers, "budgets": [asdict(row) for row in rows], "stock": asdict(sale)},
        options,
    )


def _budgets(rows: list[Row], n_days: int, n_visits: int) -> Table:
    return Table(
        f"{n_days} days, {n_visits:,} visits, shares of the budget and of the best fixed price",
        ("budget for", "spent", "spent + held at most", "earned", "best price's spent"),
        [(r.budget, r.spent, r.committed, r.earned, r.best_spent) for r in rows],
    )


def _stock(sale: Sale, units: int, n_days: int) -> Table:
    return Table(
        f"{n_days} days, a stock of {units:,}",
        ("requests", "sold", "sold + reserved at most", "oversold"),
        [(f"{sale.asked:,}", sale.sold, sale.most_taken, max(sale.most_taken - units, 0))],
    )


if __name__ == "__main__":
    main()
