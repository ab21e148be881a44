"""What the drop-in does that a client library cannot show."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.loop.replays import replays, wanted
from api.storage.reading import reading
from tests.api.personalizer.books import ACTIONS, drop_in
from tests.api.service import problem_of, running_service, stored

RANK = "/personalizer/v1.0/rank"
SLOTS = "/personalizer/v1.1-preview.3/multislot/rank"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rank")


@pytest.fixture(scope="module")
def http(folder: Path) -> Iterator[httpx.Client]:
    changes: dict[str, Any] = {
        "condition": 'context.time != "evening"',
        "reward": {"activation": "shown", "aggregation": "sum", "window_minutes": 60},
        "hashed_features": 64,
    }
    with running_service(folder, drop_in(**changes)) as client:
        yield client


def ranked(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = http.post(RANK, json={"actions": ACTIONS, **changes})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_field_that_the_placement_declares_is_no_hashed_one(http: httpx.Client) -> None:
    """The condition reads it; where it refuses all, the first action is shown."""
    answer = ranked(http, contextFeatures=[{"time": "evening"}], excludedActions=["pasta"])
    assert answer["rewardActionId"] == "juice"
    assert answer["ranking"][0] == {"id": "juice", "probability": 1.0}
    refused = http.post(RANK, json={"actions": ACTIONS, "contextFeatures": [{"time": "noon"}]})
    problem_of(refused, 422, "context.time")


def test_a_named_visitor_is_whose_decision_it_is(http: httpx.Client, folder: Path) -> None:
    event_id = ranked(http, contextFeatures=[{"customer": "ann"}])["eventId"]
    sql = "SELECT visitor FROM decisions WHERE decision_id = ?"
    assert stored(folder, sql, event_id) == [("ann",)]
    anonymous = ranked(http)["eventId"]
    assert stored(folder, sql, anonymous) == [(f"event:{anonymous}",)]
    for customer in ("", ["ann"], True, "x" * 201):
        body = {"actions": ACTIONS, "contextFeatures": [{"customer": customer}]}
        problem_of(http.post(RANK, json=body), 422, "contextFeatures.customer")


def test_an_event_id_of_the_service_is_a_decision_id(http: httpx.Client, folder: Path) -> None:
    event_id = ranked(http)["eventId"]
    answer = http.post("/v1/rewards", json={"decision_id": event_id, "value": 1})
    assert answer.json()["status"] == "counted"


def test_with_sum_every_reward_counts(http: httpx.Client, folder: Path) -> None:
    event_id = ranked(http)["eventId"]
    for _ in range(2):
        reward = http.post(f"/personalizer/v1.0/events/{event_id}/reward", json={"value": 0.5})
        assert (reward.status_code, reward.content) == (204, b"")
        assert "content-length" not in reward.headers
    (total,) = stored(folder, "SELECT sum(value) FROM rewards WHERE decision_id = ?", event_id)
    assert total == (1.0,)


def test_the_id_of_another_decision_is_refused(http: httpx.Client) -> None:
    decided = http.post("/v1/decisions", json={"visitor": "v", "placement": "rank"}).json()
    body = {"actions": ACTIONS, "eventId": decided["decision_id"]}
    problem_of(http.post(RANK, json=body), 409, "eventId")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"actions": [ACTIONS[0], ACTIONS[0]]}, "actions[1].id"),
        ({"actions": []}, "actions"),
        ({"actions": [{"id": "x" * 201, "features": []}]}, "actions[0].id"),
        ({"actions": [{"id": "a", "features": [{"k": 10**400}]}]}, "actions[0].features.k"),
        ({"contextFeatures": [{"k": {"l": list(range(1, 1_002))}}]}, "contextFeatures.k.l[1000]"),
        ({"contextFeatures": {"k": 1}}, "contextFeatures"),
        ({"eventId": "x" * 257}, "eventId"),
        ({"eventId": ""}, "eventId"),
        ({"slots": [{"id": "a", "baselineAction": "nobody"}]}, "slots[0].baseline"),
        ({"slots": [{"id": "a", "baselineAction": "pasta"}] * 2}, "slots[1].id"),
    ],
)
def test_a_refusal_names_the_field(http: httpx.Client, changes: dict[str, Any], field: str) -> None:
    path = SLOTS if "slots" in changes else RANK
    problem_of(http.post(path, json={"actions": ACTIONS, **changes}), 422, field)


def test_the_policy_learns_what_fits_whom_though_no_action_comes_twice(http: httpx.Client) -> None:
    """Only the hashed products of visitor and action tell: ids are new, colours equally good."""
    rng = random.Random(3)
    colours = ["red", "green", "blue"]
    earned = []
    for round_ in range(150):
        liked = rng.choice(colours)
        actions = [
            {"id": f"{round_}-{colour}", "features": [{"look": {"colour": colour}}]}
            for colour in rng.sample(colours, 3)
        ]
        known = [{"time": "morning"}, {"likes": {"colour": liked}}]
        answer = ranked(http, actions=actions, contextFeatures=known)
        earned.append(float(answer["rewardActionId"].endswith(liked)))
        path = f"/personalizer/v1.0/events/{answer['eventId']}/reward"
        http.post(path, json={"value": earned[-1]})
    assert sum(earned[-50:]) > 45


def test_without_a_section_the_routes_say_so(service: httpx.Client) -> None:
    problem = problem_of(service.post(RANK, json={"actions": ACTIONS}), 404, "personalizer")
    assert "[personalizer]" in problem["detail"]
    problem_of(service.get("/personalizer/v1.0/configurations/service"), 404, "personalizer")


def test_ranks_are_derived_again_from_the_log(http: httpx.Client, folder: Path) -> None:
    """Whatever their event ids are, and however many slots they have."""
    for number in range(10):
        ranked(http, eventId=f"my event {number}", contextFeatures=[{"time": "morning"}])
        ranked(http, contextFeatures=[{"time": "evening"}])
    slots = [{"id": "top", "baselineAction": "pasta"}, {"id": "low", "baselineAction": "juice"}]
    body = {"actions": ACTIONS, "slots": slots, "eventId": "a list"}
    assert http.post(SLOTS, json=body).status_code == 201
    with reading(folder / "segue.db") as connection:
        (one,) = wanted(connection)
        found = list(replays(connection, one))
    assert len(found) > 20
    assert [each for each in found if not each.identical] == []
