from __future__ import annotations

import numpy as np
import pytest

from policy.catalog.pacing.shadow_price import Remaining, ShadowPrice
from policy.errors import StateError

N = 4_000


def paced(first: float, unit: float = 1.0) -> tuple[float, float]:
    """Price and share of the budget that was spent on ``N`` visitors of worth uniform in [0, 1]."""
    budget_cents, cost = 10_000, 10
    price = ShadowPrice(budget_cents, cost, period_days=1.0, first=first * unit)
    left = budget_cents
    for i, worth in enumerate(np.random.default_rng(0).random(N)):
        bought = unit * worth > price.value * cost and left >= cost
        left -= cost * bought
        price.decided(
            float(cost * bought), cost, 1 / N if i else None,
            Remaining(float(left), left, 1.0 - (i + 1) / N, left >= cost),
        )  # fmt: skip
    return price.value, 1.0 - left / budget_cents


@pytest.mark.parametrize("first", [1e-5, 1e-3, 1.0])
def test_it_finds_the_price_that_the_budget_lasts_at(first: float) -> None:
    """A quarter of the visitors can be paid for: those worth .75 and more, at 10 cents each."""
    price, spent = paced(first)
    assert price == pytest.approx(0.075, rel=0.15)
    assert spent >= 0.99


def test_the_unit_of_rewards_does_not_matter() -> None:
    (price, spent), (in_other_units, spent_too) = paced(1e-3), paced(1e-3, unit=128.0)
    assert in_other_units == pytest.approx(128.0 * price, rel=1e-9)
    assert spent_too == pytest.approx(spent)


def test_it_stays_where_nothing_can_be_bought_and_never_falls_below_the_least() -> None:
    price = ShadowPrice(100, 10, period_days=1.0, first=0.5, least=0.4)
    for _ in range(50):
        price.decided(0.0, 0, 0.01, Remaining(0.0, 0, 0.5, spendable=False))
    assert price.value == 0.5
    for _ in range(500):
        price.decided(0.0, 0, 0.01, Remaining(100.0, 100, 0.5, spendable=True))
    assert price.value == 0.4


def test_what_cover_lets_be_spent_is_what_is_left() -> None:
    plenty, short = (ShadowPrice(1_000, 10, period_days=1.0) for _ in range(2))
    for _ in range(20):
        plenty.decided(2.0, 10, 0.01, Remaining(500.0, 1e9, 0.5, spendable=True))
        short.decided(2.0, 10, 0.01, Remaining(500.0, 20.0, 0.5, spendable=True))
    assert short.value > plenty.value


@pytest.mark.parametrize("damage", [{"price": 0.0}, {"days": -1.0}, {"typical_cents": None}])
def test_a_damaged_state_is_refused(damage: dict[str, float | None]) -> None:
    price = ShadowPrice(100, 10, period_days=1.0)
    with pytest.raises(StateError, match="saved"):
        price.load_state(price.state() | damage)
    assert price.value == ShadowPrice(100, 10, period_days=1.0).value
