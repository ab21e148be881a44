"""Segments made by hand: who belongs, and what they decide."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.configuration import parse_settings
from api.loop.hand_made import belonging
from api.schemas.decision import DecisionRequest
from api.settings import SettingsError
from policy.errors import ConditionError
from segments.event import Event
from segments.pipeline import Pipeline
from tests.api.loop.test_engine import run
from tests.api.service import configuration, placement

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REGULARS = {"id": "regulars", "name": "Regular customers", "when": "profile.orders >= 3"}


def shopper(n_orders: int) -> Pipeline:
    pipeline = Pipeline()
    for number in range(n_orders):
        at = NOW - timedelta(days=number)
        pipeline.observe(
            Event(f"m{number}", "Order Completed", "ann", at, revenue_cents=900), number
        )
    return pipeline


@pytest.mark.parametrize(("n_orders", "member"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_member_is_one_of_whom_the_condition_is_true(n_orders: int, member: bool) -> None:
    belongs = belonging("profile.orders >= 3")
    assert belongs(shopper(n_orders).look("ann", NOW), None) is member


def test_time_alone_can_end_a_membership() -> None:
    belongs = belonging("profile.recency_days < 30")
    pipeline = shopper(1)
    assert belongs(pipeline.look("ann", NOW + timedelta(days=29)), None)
    assert belongs(pipeline.look("ann", NOW + timedelta(days=31)), None) is False


def test_segments_overlap_and_know_the_learned_one() -> None:
    look = shopper(4).look("ann", NOW)
    assert belonging("segment == 's1' and profile.orders > 1")(look, "s1")
    assert belonging("profile.orders > 1")(look, "s1")
    assert belonging("segment == 's1'")(look, None) is None  # in no segment: unknown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("profile.ordrs >= 3", "did you mean 'profile.orders'"),
        ("segments.regulars", "no such field as segments.regulars"),
        ("time.hour > 3", "no such field as time.hour"),
        ("profile.orders >=", "it ends where a number"),
    ],
)
def test_what_nothing_is_known_of_is_named(text: str, told: str) -> None:
    with pytest.raises(ConditionError, match=told):
        belonging(text)


def shop(folder: Path, *hand_made: dict[str, Any], condition: str | None = None) -> dict[str, Any]:
    actions = configuration()["actions"]
    if condition is not None:
        actions[1]["condition"] = condition
    return configuration(
        service={"database": str(folder / "s.db"), "deadline_ms": 30_000},
        segments={"hand_made": list(hand_made)},
        actions=actions,
        placements=[placement()],
    )


def reasons(folder: Path, condition: str) -> dict[str, str]:
    """Why salt may or may not be shown, to a stranger and to a visitor of three orders."""
    settings = parse_settings(shop(folder, REGULARS, condition=condition))

    async def work(engine: Any) -> dict[str, str]:
        orders = [
            {
                "type": "track",
                "event": "Order Completed",
                "userId": "ann",
                "messageId": f"m{number}",
                "properties": {"total": 9.0, "order_id": f"o{number}"},
            }
            for number in range(3)
        ]
        await engine.intake.batch(orders, None, 0)
        found = {}
        for visitor in ("ann", "bob"):
            request = DecisionRequest(visitor=visitor, placement="home", context={})
            ranking = (await engine.decider.decide(request))["ranking"]
            found[visitor] = next(one["reason"] for one in ranking if one["id"] == "salt")
        return found

    found: dict[str, str] = run(settings, work)
    return found


def test_an_action_is_kept_for_the_members(tmp_path: Path) -> None:
    assert reasons(tmp_path, "segments.regulars") == {"ann": "eligible", "bob": "ineligible"}


def test_an_action_is_kept_from_the_members(tmp_path: Path) -> None:
    assert reasons(tmp_path, "not segments.regulars") == {"ann": "ineligible", "bob": "eligible"}


@pytest.mark.parametrize(
    ("hand_made", "told"),
    [
        ({**REGULARS, "when": "profile.ordrs > 1"},
         "segments.hand_made[0].when is 'profile.ordrs > 1': profile.ordrs > 1: no such field as "
         "profile.ordrs: did you mean 'profile.orders'"),
        ({**REGULARS, "when": "profile.orders >"}, "segments.hand_made[0].when is"),
        ({**REGULARS, "id": "s3"}, "segments.hand_made[0].id is 's3': is how learned segments are"),
        ({**REGULARS, "id": "noise"}, "segments.hand_made[0].id is 'noise': is how learned"),
        ({**REGULARS, "id": "my vip"}, "segments.hand_made[0].id is 'my vip': must be one word"),
        ({**REGULARS, "wen": "x"}, "segments.hand_made[0].wen is 'x': no such setting; did you me"),
    ],
)  # fmt: skip
def test_a_segment_that_makes_no_sense_is_named(
    tmp_path: Path, hand_made: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(shop(tmp_path, hand_made))
    assert told in str(caught.value)


def test_ids_are_there_once_and_conditions_ask_for_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"segments.hand_made: 'regulars' is there more than"):
        parse_settings(shop(tmp_path, REGULARS, REGULARS))
    with pytest.raises(SettingsError, match=r"did you mean 'segments.regulars'"):
        parse_settings(shop(tmp_path, REGULARS, condition="segments.regular"))
