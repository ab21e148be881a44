"""`[placements.promotion]`: what a gate needs to be told, and what contradicts itself."""

from typing import Any

import pytest

from api.configuration import parse_settings
from api.promotion_settings import reward_bounds
from api.settings import PlacementSettings, SettingsError
from tests.api.service import configuration, placement

PRICE = {"min_cents": 500, "max_cents": 1500, "step_cents": 10}


def home(**changes: Any) -> PlacementSettings:
    (made,) = parse_settings(configuration(placements=[placement(**changes)])).placements
    return made


@pytest.mark.parametrize(
    ("promotion", "changes", "told"),
    [
        ({"margin": 2.0}, {}, "margin is 2.0: must be at least 0 and below the reward's range"),
        ({"alpha": 1.0}, {}, "alpha is 1.0"),
        ({}, {"reward": {"value": "revenue"}}, "rewards is needed"),
        ({}, {"reward": {"aggregation": "sum"}}, "rewards is needed"),
        ({"rewards": [1.0, 0.0]}, {}, "must be finite bounds, the lower one first"),
        ({"guardrails": [{"metric": "margin"}]}, {}, "range of margin is needed"),
        ({"guardrails": [{"metric": "returns", "range": [0, 2]}]}, {}, "leave it out"),
        ({"guardrails": [{"metric": "returns"}] * 2}, {}, "'returns' more than once"),
        ({"guardrails": [{"metric": "returns", "tolerance": 1.0}]}, {}, "below its range"),
        ({"guardrails": [{"metric": "returns", "tolerence": 1.0}]}, {}, "did you mean 'tolerance'"),
        ({"margins": 0.1}, {}, "did you mean 'margin'"),
    ],
)
def test_a_fault_is_named_with_its_rule(
    promotion: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match="promotion") as refused:
        home(promotion=promotion, **changes)
    assert told in str(refused.value)


def test_prices_out_of_a_range_have_no_gate() -> None:
    made = configuration(placements=[placement(actions=["p"], default="p", price_range=PRICE,
                                               promotion={}, reward={})])  # fmt: skip
    made["actions"] = [{"id": "p", "kind": "price", "price_cents": 990}]
    with pytest.raises(SettingsError, match="prices out of a range have no challenger"):
        parse_settings(made)


@pytest.mark.parametrize(
    ("changes", "bounds"),
    [
        ({"reward": {"default": -0.5}}, (-0.5, 1.0)),
        ({"reward": {"value": "revenue", "clip": [0.0, 80.0]}}, (0.0, 80.0)),
        ({"reward": {"value": "revenue"}, "promotion": {"rewards": [0.0, 50.0]}}, (0.0, 50.0)),
    ],
)
def test_bounds_of_the_reward_come_from_what_is_said_of_it(
    changes: dict[str, Any], bounds: tuple[float, float]
) -> None:
    assert reward_bounds(home(**{"promotion": {}, **changes})) == bounds


def test_the_terms_allow_for_the_smaller_side() -> None:
    promotion = home(promotion={"margin": 0.1}).promotion
    assert promotion is not None
    assert promotion.terms((0.0, 1.0), 0.2).largest_weight == pytest.approx(5.0)
    assert promotion.terms((0.0, 1.0), 0.9).largest_weight == pytest.approx(10.0)
