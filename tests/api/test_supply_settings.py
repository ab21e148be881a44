"""Budgets and inventories in the configuration: contradictions are refused by field and rule."""

from typing import Any

import pytest

from api.configuration import parse_settings
from api.loop.clock import to_us
from api.settings import SettingsError
from policy.catalog.pacing.traffic import DAY_US, MONDAY_US

BUDGET: dict[str, Any] = {
    "name": "coupons",
    "amount_cents": 1_000,
    "period_days": 7,
    "costs": {"tea": 500},
    "hold_minutes": 60,
}
STOCK: dict[str, Any] = {"name": "seats", "units": 5, "actions": ["tea"]}


def configured(**changes: Any) -> dict[str, Any]:
    return {
        "actions": [{"id": "nothing"}, {"id": "tea"}],
        "placements": [{"name": "home", "actions": ["nothing", "tea"], "default": "nothing"}],
        **changes,
    }


def faults(settings: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(settings)
    return [line.removeprefix("segue.toml: ") for line in str(caught.value).splitlines()]


def test_sound_ones_become_the_policy_rooms_values() -> None:
    campaign = {**BUDGET, "name": "sale", "starts": "2026-11-27T00:00:00+01:00", "repeats": False}
    settings = parse_settings(configured(budgets=[BUDGET, campaign], inventories=[STOCK]))
    weekly, once = [one.budget() for one in settings.budgets]
    assert (weekly.period.start_us, weekly.period.length_us) == (MONDAY_US, 7 * DAY_US)
    assert settings.budgets[1].starts is not None
    assert once.period.start_us == to_us(settings.budgets[1].starts)
    assert not once.period.repeats
    assert settings.inventories[0].inventory().units == 5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount_cents": 0}, "budgets[0].amount_cents is 0: "),
        ({"period_days": 0}, "budgets[0].period_days is 0: "),
        ({"costs": {}}, "budgets[0].costs: "),
        ({"costs": {"tea": 0}}, "budgets[0].costs.tea is 0: "),
        ({"costs": {"tee": 500}}, "budgets[0].costs names 'tee': is not in [[actions]]; did you "
                                  "mean 'tea'?"),
        ({"costs": {"tea": 1_001}}, "budgets[0]: costs.tea is 1001: must be at most amount_cents, "
                                    "which is 1000; it could never be shown"),
        ({"hold_minutes": 0}, "budgets[0].hold_minutes is 0: "),
        ({"hold_minutes": None, "coupons": {"tea": "T"}},
         "budgets[0]: coupons are redeemed later: hold_minutes is needed beside them"),
        ({"coupons": {"tee": "T"}}, "budgets[0]: coupons names 'tee': must be one of the actions "
                                    "in costs; did you mean 'tea'?"),
        ({"repeats": False}, "budgets[0]: repeats is False: a budget for one period needs"),
        ({"starts": "2026-11-27T00:00:00"}, "budgets[0].starts is '2026-11-27T00:00:00': "),
        ({"least_price": -1}, "budgets[0].least_price is -1: "),
        ({"amount_cent": 5}, "budgets[0].amount_cent is 5: no such setting; did you mean "
                             "'amount_cents'?"),
    ],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_named(changes: dict[str, Any], told: str) -> None:
    found = faults(configured(budgets=[{**BUDGET, **changes}]))
    assert any(line.startswith(told) for line in found), found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"units": 0}, "inventories[0].units is 0: "),
        ({"actions": []}, "inventories[0].actions: "),
        ({"actions": ["tee"]}, "inventories[0].actions names 'tee': is not in [[actions]]"),
        ({"hold_minutes": 0}, "inventories[0].hold_minutes is 0: "),
        ({"unit": 5}, "inventories[0].unit is 5: no such setting; did you mean 'units'?"),
    ],
)
def test_an_inventory_that_makes_no_sense_is_named(changes: dict[str, Any], told: str) -> None:
    found = faults(configured(inventories=[{**STOCK, **changes}]))
    assert any(line.startswith(told) for line in found), found


def test_contradictions_with_other_sections_are_named() -> None:
    default = [{"name": "home", "actions": ["tea"], "default": "tea"}]
    coupon = {**BUDGET, "coupons": {"tea": "A"}}
    other = {**coupon, "name": "other", "coupons": {"tea": "B"}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"budgets": [BUDGET], "placements": default},
         "placements[0].default is 'tea': budgets[0] says that it costs something"),
        ({"inventories": [STOCK], "placements": default},
         "placements[0].default is 'tea': inventories[0] says that it costs something"),
        ({"budgets": [BUDGET, BUDGET]}, "budgets: 'coupons' is there more than once"),
        ({"inventories": [STOCK, STOCK]}, "inventories: 'seats' is there more than once"),
        ({"budgets": [coupon, other]},
         "budgets[1].coupons.tea is 'B': another budget says 'A'; an action has one coupon"),
        ({"budgets": [coupon], "inventories": [{**STOCK, "hold_minutes": 5}]},
         "budgets[0].coupons.tea is 'A': an inventory reserves it"),
    ]  # fmt: skip
    for changes, told in cases:
        found = faults(configured(**changes))
        assert any(line.startswith(told) for line in found), found
