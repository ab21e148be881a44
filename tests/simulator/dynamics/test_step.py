from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import hyp2f1

from simulator.dynamics.draws import shopper_keys, uniforms
from simulator.dynamics.effects import MECHANISMS, Effects
from simulator.dynamics.population import Population, Segment
from simulator.dynamics.shopper import (
    N_DRAWS,
    Outcome,
    State,
    Traits,
    buffers_for,
    newborn,
    rows_of,
)
from simulator.dynamics.step import advance, step
from simulator.dynamics.world import DAYS_A_YEAR, World
from tests.simulator.lives import lives, mixed

WORLD = World(effects=Effects(drift=0.01))
CROWD = np.arange(2_000)


def same(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_life_has_the_same_bits_at_any_batch_size() -> None:
    state, days = lives(WORLD, np.arange(4_096), 20, mixed)
    for shoppers in (np.array([4_095]), np.arange(1_000, 1_007)):
        own_state, own_days = lives(WORLD, shoppers, 20, mixed)
        assert same(own_state, tuple(row[shoppers] for row in state))
        assert same(own_days, tuple(row[:, shoppers] for row in days))


def test_a_life_goes_on_from_a_copy_as_if_nothing_had_happened() -> None:
    keys, traits = shopper_keys(3, CROWD), WORLD.population.traits(3, CROWD)
    state = newborn(len(CROWD))
    for day in range(10):
        state, _ = advance(WORLD, traits, state, mixed(day, CROWD), keys)
    again = state.copy()
    first = advance(WORLD, traits, state, mixed(10, CROWD), keys)
    second = advance(
        WORLD, WORLD.population.traits(3, CROWD), again, mixed(10, CROWD), shopper_keys(3, CROWD)
    )
    assert same(first, second)


def test_the_step_is_pure() -> None:
    keys, traits, state = shopper_keys(0, CROWD), WORLD.population.traits(0, CROWD), newborn(2_000)
    given = [traits, state, np.ones(2_000, np.int64), uniforms(keys, state[0].astype(int), N_DRAWS)]
    copies = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    step(WORLD, *given)
    assert same(tuple(given), tuple(copies))


def test_buffers_give_the_same_days_in_place() -> None:
    keys, traits = shopper_keys(0, CROWD), WORLD.population.traits(0, CROWD)
    fresh, in_place = newborn(2_000), newborn(2_000)
    buffers = buffers_for(in_place)
    for day in range(15):
        fresh, expected = advance(WORLD, traits, fresh, mixed(day, CROWD), keys)
        _, outcome = advance(WORLD, traits, in_place, mixed(day, CROWD), keys, buffers)
        assert (in_place == fresh).all()
        assert (outcome == expected).all()


def test_twins_vary_less_in_their_difference_than_strangers() -> None:
    """The reason for common random numbers."""
    world = WORLD.without("returns")
    _, quiet = lives(world, CROWD, 120, 0, seed=1)
    _, loud = lives(world, CROWD, 120, 9, seed=1)
    _, strangers = lives(world, CROWD, 120, 9, seed=2)
    own = quiet.reward.sum(0)
    assert np.var(loud.reward.sum(0) - own) < 0.7 * np.var(strangers.reward.sum(0) - own)


def test_the_reward_is_margin_less_what_it_cost_and_money_adds_up() -> None:
    state, days = lives(WORLD, CROWD, 200, mixed)
    costs = days.discount + days.contact_cost + days.returned_margin
    assert days.reward == pytest.approx(days.margin - costs)
    assert state.money_cents == pytest.approx((days.revenue - days.returned).sum(0))
    assert (state.frequency == days.ordered.sum(0)).all()
    assert (np.rint(days.revenue) == days.revenue).all()
    flow = [days.visited, days.viewed, days.carted, days.checked_out]
    for wider, narrower in pairwise(flow):
        assert (narrower <= wider).all()
    for name in set(Outcome._fields) - {"reward", "category", "order_category"}:
        assert getattr(days, name).min() >= 0.0, name


def test_who_has_left_does_nothing_any_more() -> None:
    state, days = lives(WORLD, CROWD, 200, mixed)
    gone = np.cumsum(days.left, axis=0)[:-1] > 0
    assert 0.1 < gone[-1].mean() < 0.9
    assert state.day[gone[-1]].max() < 200
    for name in ("visited", "ordered", "reward", "delivered", "returned", "contact_cost"):
        assert not getattr(days, name)[1:][gone].any(), name


def test_a_channel_that_was_left_is_silent() -> None:
    state, days = lives(WORLD, CROWD, 60, 1)
    out = np.cumsum(days.opted_out, axis=0)[:-1] > 0
    assert out[-1].any()
    assert not days.delivered[1:][out].any()
    assert ((state.email_on == 0) == (days.opted_out.sum(0) > 0)).all()


SILENT = {
    "offers": lambda days, state: days.discount.sum(),
    "addiction": lambda days, state: state.addiction.sum(),
    "opt_out": lambda days, state: days.opted_out.sum(),
    "loyalty": lambda days, state: state.loyalty.sum(),
    "churn": lambda days, state: days.left.sum(),
    "delay": lambda days, state: np.abs(days.ordered - days.checked_out).sum(),
    "returns": lambda days, state: days.returned.sum(),
    "in_store": lambda days, state: days.in_store.sum(),
    "market": lambda days, state: np.abs(days.price[:, :5] - 1.0)[days.discount[:, :5] == 0].sum(),
    "browsing": lambda days, state: (days.visited - days.checked_out).sum(),
}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_each_mechanism_acts_and_can_be_switched_off(mechanism: str) -> None:
    tilted = tuple(1.0 + 0.3 * np.sin(np.arange(DAYS_A_YEAR)))
    world = replace(WORLD, demand=tilted, market=tilted)
    shoppers = np.arange(1_000)
    action = 0 if mechanism == "market" else mixed
    on = lives(world, shoppers, 60, action)
    off = lives(world.without(mechanism), shoppers, 60, action)
    assert not same(on[0], off[0])
    if mechanism in SILENT:
        measure = SILENT[mechanism]
        assert measure(on[1], on[0]) > 0
        assert measure(off[1], off[0]) == 0


BG_NBD = Segment(
    visit_shape=0.243, visit_rate=4.414, dropout_a=0.793, dropout_b=2.426, spend_v=15.45,
    store_share=0.0,
)  # fmt: skip
ONLY_TIMING = [name for name in MECHANISMS if name not in ("churn",)]


def test_with_only_timing_and_churn_it_is_the_bg_nbd_model() -> None:
    """Expected purchases in t weeks, eq. 9 of Fader, Hardie and Lee (2005), CDNOW's parameters."""
    world = World(
        effects=Effects(fatigue_churn=0.0, loyalty_keep=0.0).without(*ONLY_TIMING),
        population=Population((BG_NBD,)),
    )
    _, days = lives(world, np.arange(12_000), 7 * 39)
    r, alpha, a, b, t = 0.243, 4.414, 0.793, 2.426, 39.0
    z = t / (alpha + t)
    expected = (a + b - 1) / (a - 1) * (1 - (1 - z) ** r * hyp2f1(r, b, a + b - 1, z))
    assert days.ordered.sum(0).mean() == pytest.approx(expected, rel=0.05)


def test_baskets_are_gamma_gamma() -> None:
    world = World(effects=Effects().without(*ONLY_TIMING), population=Population((BG_NBD,)))
    spend = rows_of(Traits, world.population.traits(0, np.arange(100_000))).spend_cents
    assert spend.mean() == pytest.approx(6.25 * 15.45 / 2.74, rel=0.03)
    basket = world.tables.basket
    assert basket.mean() == pytest.approx(1.0)
    assert basket.std() == pytest.approx(6.25**-0.5, rel=0.02)


def test_the_price_elasticity_is_in_the_published_range() -> None:
    """Bijmolt, van Heerde and Pieters (2005): mean -2.62 over 1,851 estimates."""
    world = World().without("reference_price", "loyalty", "cart", "fatigue", "delay")
    orders = []
    for level in (0.95, 1.05):
        shoppers = np.arange(20_000)
        _, days = lives(replace(world, market=(level,) * DAYS_A_YEAR), shoppers, 40)
        orders.append(days.checked_out.sum())
    elasticity = np.log(orders[1] / orders[0]) / np.log(1.05 / 0.95)
    assert -3.3 < elasticity < -1.9


def test_deep_discounts_win_the_new_and_spoil_the_established() -> None:
    """Anderson and Simester (2004), as an effect on loyalty."""
    keys, traits = shopper_keys(0, CROWD), World().population.traits(0, CROWD)
    world = World().without("messages")
    loyalty = {}
    for frequency in (0.0, 5.0):
        for action in (0, 7):
            state = newborn(len(CROWD))
            rows_of(State, state).frequency[:] = frequency
            luck = uniforms(keys, np.zeros(2_000, np.int64), N_DRAWS)
            for certain in (0, 2, 5, 7, 8):
                luck[certain] = 0.0
            luck[[3, 11, 15]] = 1.0 - 2.0**-32
            after, happened = step(world, traits, state, np.full(2_000, action), luck)
            bought = rows_of(Outcome, happened).ordered > 0
            loyalty[frequency, action] = rows_of(State, after).loyalty[bought].mean()
    assert loyalty[0.0, 7] > loyalty[0.0, 0]
    assert loyalty[5.0, 7] < loyalty[5.0, 0]
