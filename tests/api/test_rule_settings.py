"""Rules in the configuration: what contradicts itself is refused by field, value and rule."""

from typing import Any

import pytest

from api.configuration import parse_settings
from api.loop.placement import build_placements
from api.settings import SettingsError


def shop(**changes: Any) -> dict[str, Any]:
    return {
        "name": "home",
        "actions": ["tea", "low", "mail"],
        "default": "tea",
        "context": {"device": ["mobile", "desktop"]},
        **changes,
    }


def catalog(**changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": "tea", "features": {"margin": 0.3}, **changes},
        {"id": "low", "kind": "price", "price_cents": 900, "cost_cents": 800},
        {"id": "mail", "kind": "message", "channel": "email"},
    ]


def configured(placement: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"actions": catalog(), "placements": [placement], **more}


def faults(settings: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(settings)
    return [line.removeprefix("segue.toml: ") for line in str(caught.value).splitlines()]


def test_sound_rules_build_a_placement() -> None:
    action = {
        "condition": "profile.orders >= 3 and context.device == 'mobile' or action.margin > 0.2",
        "cap": {"times": 3, "days": 7},
        "cooldown_minutes": 60,
        "starts": "2026-11-27T00:00:00Z",
        "ends": "2026-11-28T00:00:00Z",
    }
    settings = parse_settings(
        configured(
            shop(
                baseline="low",
                condition="segment is unknown or time.date >= '2026-01-01'",
                price={"min_cents": 900, "max_cents": 900, "margin_floor": 0.1},
                holdout={"share": 0.05},
                challenger={"kind": "lints", "share": 0.1, "alpha": 0.2},
            ),
            actions=catalog(**action),
            limits=[{"channel": "email", "times": 1, "days": 1}],
            consent={"unknown": "granted", "purposes": {"email": "Advertising"}},
            service={"timezone": "Europe/Berlin"},
        )
    )
    home = build_placements(settings)["home"]
    assert home.lineup.challenger is not None
    assert (home.policy.kind, home.lineup.challenger.policy.kind) == ("linucb", "lints")
    assert home.baseline.ids == ("low",)
    assert home.choices.screen is not None
    assert {str(field) for field in home.rulebook.fields} == {
        "profile.orders",
        "context.device",
        "segment",
        "time.date",
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"condition": "profile.ordrs > 3"},
         "actions[0].condition is 'profile.ordrs > 3': profile.ordrs > 3: no such field as "
         "profile.ordrs: did you mean 'profile.orders'?"),
        ({"condition": "profile.orders >"},
         "actions[0].condition is 'profile.orders >': at character 17 it ends where a number"),
        ({"condition": "context.device == 'moble'"}, "actions[0].condition is"),
        ({"condition": "(" * 5_000}, "actions[0].condition is '(((((((("),
        ({"condition": "time.hour > 24"}, "24 is not from 0 to 23 (at placement 'home')"),
        ({"cap": {"times": 0, "days": 7}}, "actions[0].cap.times is 0: "),
        ({"cap": {"times": 3}}, "actions[0].cap.days: is needed"),
        ({"cap": {"times": 3, "day": 7}}, "actions[0].cap.day is 7: no such setting; did you mean "
                                          "'days'?"),
        ({"cooldown_minutes": 0}, "actions[0].cooldown_minutes is 0: "),
        ({"kind": "price"}, "actions[0]: price_cents is needed by an action of kind 'price'"),
        ({"kind": "message"}, "actions[0]: channel is needed by an action of kind 'message'"),
        ({"channel": "fax"}, "actions[0].channel is 'fax': "),
        ({"price_cents": -1}, "actions[0].price_cents is -1: "),
        ({"starts": "2026-11-27T00:00:00"}, "actions[0].starts is '2026-11-27T00:00:00': "),
        ({"starts": "2026-11-27T00:00:00Z", "ends": "2026-11-27T00:00:00Z"},
         "actions[0]: ends is 2026-11-27T00:00:00+00:00: must be after starts"),
    ],
)  # fmt: skip
def test_a_rule_of_an_action_that_makes_no_sense_is_named(
    changes: dict[str, Any], told: str
) -> None:
    found = faults({"actions": catalog(**changes), "placements": [shop()]})
    assert any(told in line for line in found), found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"default": "mail"}, "placements[0].default is 'mail': its channel 'email' needs consent"),
        ({"baseline": "lo"}, "placements[0].baseline is 'lo': must be one of the placement's "
                             "actions; did you mean 'low'?"),
        ({"condition": "profil.orders > 1"}, "placements[0].condition is 'profil.orders > 1': "),
        ({"price": {"min_cents": 900, "max_cents": 500}},
         "placements[0].price: min_cents is 900: must be at most max_cents, which is 500"),
        ({"price": {"min_cents": 901}},
         "placements[0].price.min_cents is 901: action 'low' could never be shown: its price is "
         "900, its cost 800"),
        ({"price": {"max_cents": 899}}, "placements[0].price.max_cents is 899: action 'low'"),
        ({"price": {"margin_floor": 0.2}}, "placements[0].price.margin_floor is 0.2: action 'low'"),
        ({"price": {"margin_floor": 1}}, "placements[0].price.margin_floor is 1: "),
        ({"price": {"margin_flor": 1}},
         "placements[0].price.margin_flor is 1: no such setting; did you mean 'margin_floor'?"),
        ({"price": {"sticky_hours": float("inf")}}, "placements[0].price.sticky_hours is inf: "),
        ({"holdout": {"share": 1}}, "placements[0].holdout.share is 1: "),
        ({"holdout": {"share": 0}}, "placements[0].holdout.share is 0: "),
        ({"holdout": {"shar": 0.1}}, "placements[0].holdout.shar is 0.1: no such setting; did you "
                                     "mean 'share'?"),
        ({"challenger": {"kind": "lints"}}, "placements[0].challenger.share: is needed"),
        ({"challenger": {"kind": "lins", "share": 0.1}}, "placements[0].challenger: unknown"),
        ({"challenger": {"kind": "lints", "share": 0.1, "floor": 0.1}},
         "placements[0].challenger: floor is 0.1: the floor of [placements.policy] is spread"),
    ],
)  # fmt: skip
def test_a_rule_of_a_placement_that_makes_no_sense_is_named(
    changes: dict[str, Any], told: str
) -> None:
    found = faults(configured(shop(**changes)))
    assert any(line.startswith(told) for line in found), found


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"limits": [{"times": 1, "days": 1}]}, "limits[0]: needs a kind or a channel"),
        ({"limits": [{"kind": "offer", "channel": "email", "cooldown_minutes": 5}]},
         "limits[0]: needs a kind or a channel, and not both"),
        ({"limits": [{"kind": "offer"}]}, "limits[0]: a limit needs times and days"),
        ({"limits": [{"kind": "offer", "times": 3}]}, "limits[0]: cap is 3 times in None days"),
        ({"limits": [{"kind": "ofer", "times": 3, "days": 1}]}, "limits[0].kind is 'ofer': "),
        ({"limits": [{"kind": "offer", "time": 3, "days": 1}]},
         "limits[0].time is 3: no such setting; did you mean 'times'?"),
        ({"consent": {"unknown": "maybe"}}, "consent.unknown is 'maybe': "),
        ({"consent": {"purposes": {"fax": "x"}}}, "consent.purposes.fax"),
        ({"consent": {"purpose": {}}}, "consent.purpose: no such setting; did you mean"),
        ({"service": {"timezone": "Europe/Berln"}}, "service.timezone is 'Europe/Berln': must be a "
                                                    "time zone's name"),
        ({"service": {"timezone": "../../etc/passwd"}}, "service.timezone is '../../etc/passwd': "),
    ],
)  # fmt: skip
def test_a_rule_of_all_placements_that_makes_no_sense_is_named(
    changes: dict[str, Any], told: str
) -> None:
    found = faults(configured(shop(), **changes))
    assert any(line.startswith(told) for line in found), found


def test_a_condition_is_checked_at_every_placement_of_its_action() -> None:
    """A field of one placement's context is not known at another."""
    actions = catalog(condition="context.device == 'mobile'")
    other = shop(name="other", context={})
    (fault,) = faults({"actions": actions, "placements": [shop(), other]})
    assert "no such field as context.device" in fault
    assert "(at placement 'other')" in fault
    parse_settings({"actions": actions, "placements": [shop(), {**other, "actions": ["low"],
                                                                "default": "low"}]})  # fmt: skip
