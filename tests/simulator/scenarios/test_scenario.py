from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.errors import WorldError
from simulator.scenarios.scenario import load_world, parse_world, scenario_names
from tests.simulator.lives import lives

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("cold-start", "coupon-addiction", "drift", "holiday-peak", "price-war", "steady")
CROWD = np.arange(1_500)


def test_these_are_shipped() -> None:
    assert scenario_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_world_where_shoppers_buy_and_most_stay_a_month(name: str) -> None:
    world = load_world(name)
    state, days = lives(world, np.arange(400), 30)
    assert (world.name, world.version, len(world.population.segments)) == (name, 1, 4)
    assert days.ordered.sum() > 40
    assert state.alive.mean() > 0.6


def test_the_holiday_peak_brings_visits() -> None:
    world = load_world("holiday-peak").without("churn")
    _, days = lives(world, CROWD, 358)
    assert days.visited[315:].mean() > 1.5 * days.visited[:300].mean()


def test_the_price_war_lowers_what_is_asked_and_what_feels_normal() -> None:
    state, days = lives(load_world("price-war").without("churn"), CROWD, 120)
    assert days.price[:60].min() == 1.0
    assert days.price[60:].max() == pytest.approx(0.88)
    assert state.reference.mean() < 0.95


def test_coupon_addiction_makes_discounts_cost_later_orders() -> None:
    """Full-price orders after sixty days of discounts, against after sixty days of news."""

    def later_orders(name: str) -> float:
        world = replace(load_world(name), horizon_days=120).without("churn", "opt_out", "fatigue")
        after = [
            lives(world, CROWD, 120, lambda day, who, a=a: np.full(len(who), a if day < 60 else 0))
            for a in (7, 1)
        ]
        discounted, news = (days.ordered[60:].sum() for _, days in after)
        return float(discounted / news)

    assert later_orders("coupon-addiction") < later_orders("steady")


def test_drift_moves_tastes_to_the_next_category() -> None:
    _, days = lives(load_world("drift").without("churn"), CROWD, 364)
    early, late = days.category[:60], days.category[300:]
    shares = [
        np.bincount(c[c >= 0].astype(int), minlength=4) / (c >= 0).sum() for c in (early, late)
    ]
    assert np.abs(shares[1] - np.roll(shares[0], -1)).sum() < np.abs(shares[1] - shares[0]).sum()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\nefects = 2", "efects.* is unknown; did you mean 'effects'"),
        ("version = 1\n[effects]\nlos = 1.0", r"effects\.los.* did you mean 'loss'"),
        ("version = 1\n[effects]\nloss = -1.0", "loss is -1.0: must be at least 0"),
        ("version = 1\n[effects]\nloss = nan", "loss is nan: must be a finite number"),
        ("version = 1\n[effects]\nloss = 'high'", "loss is 'high': must be a number"),
        ("version = 1\neffects = 3", "effects is 3: must be a table"),
        ("about = 'x'", "version is None: must be given"),
        ("version = 1\nsegments = 3", r"must be tables, each under \[\[segments\]\]"),
        ("version = 1\n[[segments]]\nshare = 0", "share is 0: must be a number above 0"),
        ("version = 1\n[[segments]]\ntastes = [1.0]", r"tastes is \(1.0,\): must be 4 numbers"),
        ("version = 1\n[[segments]]\nintent = 'a'", "segments is .* does not fit"),
        ("version = 1\n[[actions]]\nchannel = 'fax'\nid = 'f'", "channel is 'fax': must be one of"),
        ("version = 1\n[[demand]]\nfirst_day = 9\nlast_day = 3\nfactor = 1.0", "days in order"),
        ("version = 1\n[[demand]]\nfirst_day = 9", r"demand\.last_day is None: must be given"),
        ("version = 1\nhorizon_days = 0", "horizon_days is 0: must be from 1"),
        ("version = ", "is not TOML"),
    ],
)
def test_what_is_no_world_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        parse_world("mine", text)


def test_a_perturbed_world_is_another_one_nearby_and_the_same_each_time() -> None:
    near, world = load_world("steady~3"), load_world("steady")
    assert near == load_world("steady~3") != load_world("steady~4")
    assert near.name == "steady~3"
    assert world.effects.gain * 0.75 <= near.effects.gain <= world.effects.gain * 1.25
    half_lives = [1.0 - effects.loyalty_fade for effects in (near.effects, world.effects)]
    assert half_lives[0] == pytest.approx(half_lives[1], rel=0.2501)
    with pytest.raises(WorldError, match="whole number after ~"):
        load_world("steady~x")


def test_files_and_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="did you mean 'steady'"):
        load_world("stedy")
    with pytest.raises(WorldError, match="cannot be read"):
        load_world(str(tmp_path / "none.toml"))
    (tmp_path / "mine.toml").write_text("version = 3")
    assert load_world(str(tmp_path / "mine.toml")).version == 3
