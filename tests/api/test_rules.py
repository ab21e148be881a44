"""Rules over HTTP: who may be shown what, said in the answer and in the log."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from policy.catalog.holdout import Holdout
from tests.api.service import problem_of, running_service, stored

START = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday
EVEN = {"kind": "epsilon_greedy", "epsilon": 1.0}
ACTIONS: list[dict[str, Any]] = [
    {"id": "nothing"},
    {"id": "loyal", "condition": "profile.orders >= 2"},
    {"id": "phone", "condition": "context.device == 'mobile'"},
    {"id": "early", "condition": "time.hour < 8 or time.weekday in ['sat', 'sun']"},
    {"id": "offer", "kind": "offer", "cap": {"times": 2, "days": 7}},
    {"id": "toast", "kind": "message", "channel": "onsite", "cooldown_minutes": 60},
    {"id": "mail", "kind": "message", "channel": "email"},
    {"id": "push", "kind": "message", "channel": "push"},
    {"id": "friday", "starts": "2026-11-27T00:00:00+01:00", "ends": "2026-11-28T00:00:00+01:00"},
    {"id": "wine", "category": "Wine"},
    {"id": "p900", "kind": "price", "price_cents": 900, "cost_cents": 500},
    {"id": "p990", "kind": "price", "price_cents": 990, "cost_cents": 500},
    {"id": "p1400", "kind": "price", "price_cents": 1400, "cost_cents": 500},
]
SHARE = 0.4


def shop(name: str, *actions: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "actions": ["nothing", *actions],
        "default": "nothing",
        "policy": EVEN,
        **more,
    }


CONFIGURATION: dict[str, Any] = {
    "service": {"clock": "replay", "durability": "crash", "timezone": "Europe/Berlin"},
    "consent": {"purposes": {"email": "Advertising"}},
    "limits": [{"channel": "push", "times": 1, "days": 1}],
    "actions": ACTIONS,
    "placements": [
        shop("profile", "loyal", "early"),
        shop("device", "phone", context={"device": ["mobile", "desktop"]}),
        shop("offers", "offer"),
        shop("toasts", "toast"),
        shop("messages", "mail", "push"),
        shop("friday", "friday"),
        shop("adults", "wine", condition="action.category != 'Wine' or context.age >= 18",
             context={"age": "number"}),
        shop("never", condition="time.date < '2000-01-01'"),
        shop("prices", "p900", "p990", "p1400",
             price={"margin_floor": 0.2, "largest_step": 0.2, "sticky_hours": 2}),
        shop("held", "wine", "offer", baseline="wine", holdout={"share": SHARE, "salt": "test"}),
        shop("rivals", "wine", policy={"kind": "linucb", "floor": 0.0},
             challenger={"kind": "epsilon_greedy", "epsilon": 1.0, "share": 0.2}),
        shop("plain", "wine"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with running_service(folder, CONFIGURATION) as client:
        yield client


def decide(
    client: httpx.Client, placement: str, visitor: str, hours: float = 0.0, **more: Any
) -> dict[str, Any]:
    moment = (START + timedelta(hours=hours)).isoformat()
    body = {"placement": placement, "visitor": visitor, "timestamp": moment, **more}
    answer = client.post("/v1/decisions", json=body)
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in answer["ranking"]}


def track(client: httpx.Client, visitor: str, event: str, number: int, **more: Any) -> None:
    message = {
        "userId": visitor,
        "event": event,
        "messageId": f"{visitor}-{event}-{number}",
        "timestamp": START.isoformat(),
        **more,
    }
    assert client.post("/v1/track", json=message).status_code == 200


def until_shown(client: httpx.Client, placement: str, visitor: str, action: str) -> dict[str, Any]:
    for _ in range(200):
        answer = decide(client, placement, visitor)
        if answer["action"]["id"] == action:
            return answer
    raise AssertionError(f"{action} was never shown")


def test_a_profile_is_asked_in_natural_units(client: httpx.Client) -> None:
    for number, loyal in enumerate(("ineligible", "ineligible", "eligible")):
        answer = decide(client, "profile", "buyer")
        assert reasons(answer)["loyal"] == loyal
        track(client, "buyer", "Order Completed", number, properties={"revenue": 5})


def test_hours_and_days_are_those_of_the_shop(client: httpx.Client) -> None:
    """In Berlin it is eight at 07:00 UTC, and on Friday at 23:00 it is Saturday."""
    for hours, early in (
        (-2 - 1 / 60, "eligible"),
        (-2, "ineligible"),
        (4 * 24 + 13.9, "ineligible"),
        (4 * 24 + 14, "eligible"),
    ):
        assert reasons(decide(client, "profile", "clock", hours))["early"] == early


def test_a_context_that_is_left_out_is_unknown(client: httpx.Client) -> None:
    for context, phone in (
        ({"device": "mobile"}, "eligible"),
        ({"device": "desktop"}, "ineligible"),
        ({}, "ineligible"),
        ({"device": None}, "ineligible"),
    ):
        assert reasons(decide(client, "device", "x", context=context))["phone"] == phone


def test_a_refused_action_has_probability_zero_and_is_absent_from_the_log(
    client: httpx.Client, folder: Path
) -> None:
    answer = decide(client, "device", "y", context={"device": "desktop"}, excluded=["other"])
    assert answer["ranking"] == [
        {"id": "nothing", "probability": 1.0, "reason": "eligible"},
        {"id": "phone", "probability": 0.0, "reason": "ineligible"},
    ]
    sql = "SELECT candidates, probabilities, reasons FROM decisions WHERE decision_id = ?"
    ((candidates, probabilities, refused),) = stored(folder, sql, answer["decision_id"])
    assert json.loads(candidates) == ["nothing"]
    assert np.frombuffer(probabilities).tolist() == [1.0]
    assert json.loads(refused) == {"phone": "ineligible"}


def test_where_nothing_is_refused_the_log_says_nothing(client: httpx.Client, folder: Path) -> None:
    answer = decide(client, "plain", "x")
    assert reasons(answer) == {"nothing": "eligible", "wine": "eligible"}
    assert answer["group"] is None
    sql = "SELECT reasons, visitor_group FROM decisions WHERE decision_id = ?"
    assert stored(folder, sql, answer["decision_id"]) == [(None, None)]


def test_a_cap_counts_what_was_shown_and_forgets_it_after_its_days(client: httpx.Client) -> None:
    answers = [decide(client, "offers", "capped", hours) for hours in range(60)]
    shown = [i for i, answer in enumerate(answers) if answer["action"]["id"] == "offer"]
    assert len(shown) == 2
    assert [reasons(a)["offer"] for a in answers] == [
        "eligible" if i <= shown[1] else "capped" for i in range(60)
    ]
    for hours, reason in ((shown[0] + 7 * 24 - 0.1, "capped"), (shown[0] + 7 * 24, "eligible")):
        assert reasons(decide(client, "offers", "capped", hours))["offer"] == reason


def test_a_cooldown_lies_between_two_showings(client: httpx.Client) -> None:
    until_shown(client, "toasts", "cool", "toast")
    for hours, reason in ((0.0, "cooling_down"), (0.99, "cooling_down"), (1.0, "eligible")):
        assert reasons(decide(client, "toasts", "cool", hours))["toast"] == reason


def test_a_cap_follows_a_visitor_who_becomes_known(client: httpx.Client) -> None:
    until_shown(client, "toasts", "anon-1", "toast")
    link = {"userId": "known-1", "anonymousId": "anon-1", "timestamp": START.isoformat()}
    assert client.post("/v1/identify", json=link).status_code == 200
    for visitor in ("known-1", "anon-1"):
        assert reasons(decide(client, "toasts", visitor))["toast"] == "cooling_down"


def test_a_channel_needs_consent(client: httpx.Client) -> None:
    assert reasons(decide(client, "messages", "quiet"))["mail"] == "no_consent"
    consent = {"consent": {"categoryPreferences": {"Advertising": True, "push": True}}}
    track(client, "willing", "Cart Viewed", 0, context=consent)
    assert reasons(decide(client, "messages", "willing")) == {
        "nothing": "eligible",
        "mail": "eligible",
        "push": "eligible",
    }
    track(client, "willing", "Unsubscribed", 0)
    assert reasons(decide(client, "messages", "willing", 25))["mail"] == "no_consent"


def test_a_limit_of_a_channel_counts_every_action_of_it(client: httpx.Client) -> None:
    consent = {"consent": {"categoryPreferences": {"push": True}}}
    track(client, "pushed", "Cart Viewed", 0, context=consent)
    brought = [{"id": name, "kind": "message", "channel": "push"} for name in ("first", "second")]
    answer = decide(client, "plain", "pushed", actions=brought)
    assert {*reasons(answer).values()} == {"eligible"}
    again = decide(client, "plain", "pushed", 23.9, actions=brought)
    assert again["reason"] == "no eligible action"
    assert reasons(again) == {"nothing": "eligible", "first": "capped", "second": "capped"}
    assert {*reasons(decide(client, "plain", "pushed", 24, actions=brought)).values()} == {
        "eligible"
    }


@pytest.mark.parametrize(
    ("hours", "reason"),
    [(85.9, "off_schedule"), (86, "eligible"), (109.9, "eligible"), (110, "off_schedule")],
)
def test_a_schedule_has_a_start_and_an_end(client: httpx.Client, hours: float, reason: str) -> None:
    assert reasons(decide(client, "friday", "x", hours))["friday"] == reason


def test_the_rules_of_the_catalog_hold_for_candidates_of_a_request(client: httpx.Client) -> None:
    brought = [{"id": "friday"}, {"id": "loyal"}, {"id": "phone"}, {"id": "mine"}]
    assert reasons(decide(client, "plain", "x", actions=brought)) == {
        "mine": "eligible",
        "friday": "off_schedule",
        "loyal": "ineligible",
        "phone": "ineligible",  # asks for a field that this placement does not know
    }


def test_a_placements_condition_asks_about_each_candidate(client: httpx.Client) -> None:
    for context, wine in (
        ({"age": 18}, "eligible"),
        ({"age": 17}, "ineligible"),
        ({}, "ineligible"),
    ):
        answer = decide(client, "adults", "x", context=context)
        assert reasons(answer) == {"nothing": "eligible", "wine": wine}
    brought = [{"id": "a", "category": "Wine"}, {"id": "b", "category": "Tea"}]
    assert reasons(decide(client, "adults", "x", actions=brought)) == {
        "b": "eligible",
        "a": "ineligible",
    }


def test_with_nobody_eligible_the_default_is_shown_with_probability_one(
    client: httpx.Client, folder: Path
) -> None:
    answer = decide(client, "never", "x")
    assert (answer["action"]["id"], answer["probability"], answer["default"]) == (
        "nothing",
        1.0,
        True,
    )
    assert answer["reason"] == "no eligible action"
    assert answer["ranking"] == [{"id": "nothing", "probability": 1.0, "reason": "ineligible"}]
    sql = "SELECT reason, candidates, reasons FROM decisions WHERE decision_id = ?"
    assert stored(folder, sql, answer["decision_id"]) == [
        ("no eligible action", '["nothing"]', '{"nothing": "ineligible"}')
    ]


def test_a_visitor_keeps_a_price_and_then_sees_one_within_a_step(client: httpx.Client) -> None:
    for number in range(100):
        buyer = f"buyer-{number}"
        first = decide(client, "prices", buyer)
        assert {*reasons(first).values()} == {"eligible"}
        if first["action"]["id"] == "p990":
            break
    for hours in (0.5, 1.9):
        answer = decide(client, "prices", buyer, hours)
        assert reasons(answer) == {
            "nothing": "eligible",
            "p990": "eligible",
            "p900": "guarded",
            "p1400": "guarded",
        }
    later = reasons(decide(client, "prices", buyer, 2.0))
    assert (later["p900"], later["p990"], later["p1400"]) == ("eligible", "eligible", "guarded")


def test_prices_of_other_things_are_apart(client: httpx.Client) -> None:
    def ladder(thing: str) -> list[dict[str, Any]]:
        return [
            {"id": f"{thing}-{c}", "kind": "price", "price_cents": c, "cost_cents": 1,
             "price_of": thing}
            for c in (900, 1400)
        ]  # fmt: skip

    (shown,) = [decide(client, "prices", "other", actions=ladder("a"))["action"]["id"]]
    again = reasons(decide(client, "prices", "other", actions=[*ladder("a"), *ladder("b")]))
    assert {name for name, reason in again.items() if reason == "eligible"} == {
        shown,
        "b-900",
        "b-1400",
    }


def test_a_price_without_enough_margin_is_guarded(client: httpx.Client) -> None:
    brought = [
        {"id": "thin", "kind": "price", "price_cents": 100, "cost_cents": 81},
        {"id": "unknown", "kind": "price", "price_cents": 100},
        {"id": "fine", "kind": "price", "price_cents": 100, "cost_cents": 80},
    ]
    assert reasons(decide(client, "prices", "third", actions=brought)) == {
        "fine": "eligible",
        "thin": "guarded",
        "unknown": "guarded",
    }


def test_the_control_group_is_shown_the_baseline(client: httpx.Client, folder: Path) -> None:
    holdout = Holdout(SHARE, "test")
    groups = {True: 0, False: 0}
    for number in range(60):
        visitor = f"held-{number}"
        held = holdout.holds(visitor)
        groups[held] += 1
        answer = decide(client, "held", visitor)
        assert answer["group"] == ("control" if held else "treatment")
        sql = """SELECT visitor_group, candidates, probabilities, reason, layout IS NULL
                 FROM decisions WHERE decision_id = ?"""
        ((group, candidates, probabilities, reason, _),) = stored(
            folder, sql, answer["decision_id"]
        )
        assert (group, reason) == (answer["group"], None)
        if held:
            assert (answer["action"]["id"], answer["probability"]) == ("wine", 1.0)
            assert not answer["default"]
            assert reasons(answer) == {
                "wine": "eligible",
                "nothing": "held_out",
                "offer": "held_out",
            }
            assert json.loads(candidates) == ["wine"]
            assert np.frombuffer(probabilities).tolist() == [1.0]
        else:
            assert {*reasons(answer).values()} == {"eligible"}
    assert min(groups.values()) > 10


def test_the_baseline_obeys_the_rules_too(client: httpx.Client) -> None:
    held = next(f"h{n}" for n in range(100) if Holdout(SHARE, "test").holds(f"h{n}"))
    answer = decide(client, "held", held, excluded=["wine"])
    assert (answer["action"]["id"], answer["reason"]) == ("nothing", "no eligible action")
    assert answer["group"] == "control"
    assert reasons(answer) == {"nothing": "held_out", "wine": "excluded", "offer": "held_out"}
    brought = [{"id": "mine"}]
    answer = decide(client, "held", held, actions=brought)
    assert reasons(answer) == {"wine": "eligible", "mine": "held_out"}


def test_a_challengers_share_is_exact(client: httpx.Client) -> None:
    """An untrained LinUCB ties: half each; so does the challenger, and the mixture of the two."""
    answer = decide(client, "rivals", "x")
    assert [row["probability"] for row in answer["ranking"]] == [0.5, 0.5]
    reward = {"decision_id": answer["decision_id"], "value": 1.0}
    assert client.post("/v1/rewards", json=reward).status_code == 200
    better = answer["action"]["id"]
    for _ in range(500):
        probabilities = {
            row["id"]: row["probability"] for row in decide(client, "rivals", "x")["ranking"]
        }
        if probabilities[better] != 0.5:
            break
    assert probabilities[better] == pytest.approx(0.9, abs=1e-12)
    listed = client.get("/v1/policies").json()["policies"]
    assert {policy["placement"]: policy["kind"] for policy in listed}["rivals"] == "mixture"


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        ({"id": "m", "kind": "message"}, "channel is None: a message needs one of"),
        ({"id": "p", "kind": "price"}, "price_cents is None: a price needs one"),
    ],
)
def test_a_candidate_without_what_its_kind_needs_is_refused(
    client: httpx.Client, action: dict[str, Any], rule: str
) -> None:
    body = {"placement": "plain", "visitor": "x", "timestamp": START.isoformat()}
    problem = problem_of(
        client.post("/v1/decisions", json={**body, "actions": [action]}), 422, "actions[0]"
    )
    assert rule in problem["detail"]
