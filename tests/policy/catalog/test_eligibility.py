"""Screens: each rule refuses whom it should, for the first reason there is."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.action import Action
from policy.catalog.condition.parser import parse
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType
from policy.catalog.consent import Consent
from policy.catalog.eligibility import Reason, Situation
from policy.catalog.history import Exposure, History
from policy.catalog.limit import DAY_US, Limit, Tracked
from policy.catalog.price import PriceGuards
from policy.catalog.rulebook import Rulebook, Rules, action_vocabulary

ORDERS = Field("profile", "orders")
VOCABULARY = {ORDERS: FieldType("number"), **action_vocabulary(["margin"])}
NOW_US = 100 * DAY_US
REASONS = get_args(Reason)
TRACKED = Tracked(
    {("action", "capped"): [Limit(1, 7)], ("channel", "push"): [Limit(cooldown_minutes=60)]},
    {"home": 0},
)
ACTIONS = {
    "excluded": Action("excluded", "offer"),
    "off_schedule": Action("off_schedule", "offer"),
    "ineligible": Action("ineligible", "offer"),
    "no_consent": Action("no_consent", "message", channel="email"),
    "capped": Action("capped", "offer"),
    "cooling_down": Action("cooling_down", "message", channel="push"),
    "out_of_budget": Action("out_of_budget", "offer"),
    "out_of_stock": Action("out_of_stock", "offer"),
    "guarded": Action("guarded", "price", price_cents=400),
    "eligible": Action("eligible", "price", price_cents=900),
}
RULES = {
    "off_schedule": Rules(ends_us=NOW_US),
    "ineligible": Rules(parse("profile.orders >= 3")),
}
HELD_BACK = {"out_of_budget": "out_of_budget", "out_of_stock": "out_of_stock"}


def rulebook(rules=RULES, **more):
    more = {"guards": PriceGuards(min_cents=500), "tracked": TRACKED, **more}
    return Rulebook("home", VOCABULARY, rules, **more)


def situation(**changes):
    history = History()
    for name in ("capped", "cooling_down"):
        action = ACTIONS[name]
        history.add(
            Exposure("home", name, action.kind, action.channel, None, None, NOW_US - 1), TRACKED
        )
    return Situation(
        **{
            "now_us": NOW_US,
            "facts": [2.0],
            "said": {"push": True}.get,
            "history": history,
            "excluded": {"excluded"},
            "held_back": HELD_BACK,
            **changes,
        }
    )


@given(st.lists(st.sampled_from(sorted(ACTIONS)), unique=True))
def test_each_candidate_gets_its_reason_whoever_else_is_there(names):
    """Every action is named after the reason that it is made for."""
    screen = rulebook().screen([ACTIONS[name] for name in names])
    if screen is None:
        assert not {*names} - {"excluded", "eligible", *HELD_BACK}
        return
    refused = screen.refused(situation())
    assert {names[i]: reason for i, reason in refused.items()} == {
        name: name for name in names if name != "eligible"
    }


def test_every_reason_but_the_holdouts_is_given_somewhere():
    assert {*ACTIONS, "held_out"} == {*REASONS}


def test_of_several_reasons_the_first_is_given():
    """One action that breaks every rule; each rule that is lifted shows the next reason."""
    action = Action("all", "price", channel="push", price_cents=400)
    tracked = Tracked(
        {("action", "all"): [Limit(1, 7)], ("channel", "push"): [Limit(cooldown_minutes=60)]}, {}
    )
    history = History()
    history.add(Exposure("home", "all", "price", "push", None, None, NOW_US - 1), tracked)
    rules = {"all": Rules(parse("profile.orders >= 3"), ends_us=NOW_US)}
    screen = rulebook(rules, tracked=tracked).screen([action])
    changes = {
        "said": {}.get,
        "history": history,
        "excluded": {"all"},
        "held_back": {"all": "out_of_stock"},
    }
    told = []
    for lifted in (
        {"excluded": ()},
        {"now_us": NOW_US - 2},
        {"facts": [3.0]},
        {"said": {"push": True}.get},
        {"history": History()},
        {"held_back": {}},
        {},
    ):
        told.append(screen.refused(situation(**changes))[0])
        changes |= lifted
    assert told == [
        "excluded",
        "off_schedule",
        "ineligible",
        "no_consent",
        "capped",
        "out_of_stock",
        "guarded",
    ]


@pytest.mark.parametrize(
    ("rules", "shown_at"),
    [
        (Rules(starts_us=10, ends_us=20), [10, 19]),
        (Rules(starts_us=10), [10, 19, 20]),
        (Rules(ends_us=20), [9, 10, 19]),
    ],
)
def test_a_schedule_holds_from_its_start_until_before_its_end(rules, shown_at):
    screen = rulebook({"a": rules}).screen([Action("a", "offer")])
    moments = [9, 10, 19, 20]
    assert [us for us in moments if not screen.refused(situation(now_us=us))] == shown_at


def test_a_condition_is_asked_once_for_all_who_share_it():
    asked = []

    class Counting(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    actions = [Action(f"a{i}", "offer") for i in range(50)]
    same = {action.id: Rules(parse("profile.orders > 1")) for action in actions}
    screen = rulebook(same, condition=parse("profile.orders < 9")).screen(actions)
    assert screen.refused(situation(facts=Counting([2.0]))) == {}
    assert len(asked) == 2


def test_a_condition_about_candidates_is_asked_once_for_each_answer():
    actions = [
        Action(f"a{i}", "offer", category=("Tea", "Wine")[i % 2], features=(("margin", i % 3),))
        for i in range(12)
    ]
    condition = parse("action.category != 'Wine' and action.margin < 2 or profile.orders > 5")
    screen = rulebook({}, condition=condition).screen(actions)
    assert len(screen.questions) == 6
    refused = screen.refused(situation())
    assert sorted(refused) == [i for i in range(12) if i % 2 or i % 3 == 2]
    assert screen.refused(situation(facts=[6.0])) == {}


def test_a_candidate_without_what_is_asked_does_not_have_it():
    for text, refused in (("action.margin < 2", {0: "ineligible"}), ("action.margin != 2", {})):
        screen = rulebook({}, condition=parse(text)).screen([Action("a", "offer")])
        assert screen.refused(situation(facts=[])) == refused


def test_stickiness_keeps_only_what_every_other_rule_allows():
    guards = PriceGuards(sticky_hours=24)
    tracked = Tracked({}, {"home": guards.period_us})
    prices = [Action(f"p{cents}", "price", price_cents=cents) for cents in (900, 990)]
    history = History()
    history.add(Exposure("home", "p990", "price", None, 990, None, NOW_US - 1), tracked)
    book = rulebook({}, guards=guards, tracked=tracked)
    screen = book.screen([*prices, Action("tea", "offer")])
    assert screen.refused(situation(history=history)) == {0: "guarded"}
    assert screen.refused(situation(history=history, excluded={"p990"})) == {1: "excluded"}


def test_nothing_to_ask_is_no_screen():
    actions = [Action("a", "offer"), Action("b", "price", price_cents=5)]
    assert rulebook({}, guards=None, tracked=None).screen(actions) is None
    assert rulebook({"other": RULES["ineligible"]}, guards=None).screen(actions) is None


def test_consent_is_asked_by_channel():
    actions = [
        Action(channel, "message", channel=channel)
        for channel in ("email", "push", "sms", "onsite")
    ]
    consent = Consent({"email": "Advertising"})
    screen = rulebook({}, consent=consent, tracked=None).screen(actions)
    said = {"Advertising": True, "sms": False, "onsite": False}
    assert screen.refused(situation(said=said.get)) == {
        1: "no_consent",
        2: "no_consent",
        3: "no_consent",
    }


def test_history_is_only_asked_where_a_rule_looks_at_it():
    book = rulebook(guards=PriceGuards(min_cents=1, largest_step=0.1))
    assert book.screen([ACTIONS["capped"]]).asks_history
    assert book.screen([ACTIONS["eligible"]]).asks_history
    assert not book.screen([ACTIONS["ineligible"]]).asks_history
    assert not rulebook().screen([ACTIONS["guarded"]]).asks_history
