"""Azure's own packages against a running service."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.ai.personalizer import PersonalizerAdministrationClient
from azure.ai.personalizer import PersonalizerClient as PreviewClient
from azure.cognitiveservices.personalizer import PersonalizerClient
from azure.cognitiveservices.personalizer.models import (
    ErrorResponseException,
    RankableAction,
    RankRequest,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from msrest.authentication import CognitiveServicesCredentials
from msrest.exceptions import HttpOperationError

from tests.api.personalizer.books import ACTIONS, CONTEXT, KEY, drop_in
from tests.api.service import running_service, stored
from tests.api.test_auth import configured

SLOTS = [
    {
        "id": "hero",
        "features": [{"size": "large"}],
        "excludedActions": ["salad"],
        "baselineAction": "pasta",
    },
    {"id": "side", "features": [{"size": "small"}], "baselineAction": "salad"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("personalizer")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where the service listens."""
    keys = [configured("shop", KEY, "decide", "reward", "read", "admin")]
    with running_service(folder, drop_in() | {"keys": keys}) as client:
        yield str(client.base_url)


@pytest.fixture(scope="module")
def client(address: str) -> PersonalizerClient:
    """`azure-cognitiveservices-personalizer`."""
    return PersonalizerClient(address, CognitiveServicesCredentials(KEY))


@pytest.fixture(scope="module")
def preview(address: str) -> Iterator[PreviewClient]:
    """`azure-ai-personalizer`, which knows slots."""
    with PreviewClient(address, AzureKeyCredential(KEY), retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def administration(address: str) -> Iterator[PersonalizerAdministrationClient]:
    """The preview's other half."""
    credential = AzureKeyCredential(KEY)
    with PersonalizerAdministrationClient(address, credential, retry_total=0) as client:
        yield client


def rank_request(**changes: Any) -> RankRequest:
    actions = [RankableAction(**action) for action in ACTIONS]
    return RankRequest(**{"actions": actions, "context_features": CONTEXT, **changes})


def rewards_of(folder: Path, event_id: str) -> list[tuple[Any, ...]]:
    sql = """SELECT source, value FROM rewards WHERE decision_id IN
             (SELECT decision_id FROM decisions WHERE list_id = ? OR decision_id = ?)
             ORDER BY seq"""
    return stored(folder, sql, event_id, event_id)


def test_rank_and_reward(client: PersonalizerClient, folder: Path) -> None:
    answer = client.rank(rank_request())
    assert answer.reward_action_id in {"pasta", "juice", "salad"}
    assert answer.ranking[0].id == answer.reward_action_id
    assert {one.id for one in answer.ranking} == {"pasta", "juice", "salad"}
    assert sum(one.probability for one in answer.ranking) == pytest.approx(1)
    client.events.reward(answer.event_id, 1.0)
    assert rewards_of(folder, answer.event_id) == [("shown", 0.0), ("explicit", 1.0)]


def test_the_earliest_reward_counts_and_a_retry_does_not(
    client: PersonalizerClient, folder: Path
) -> None:
    event_id = client.rank(rank_request()).event_id
    for value in (0.5, 0.5, 0.75):
        client.events.reward(event_id, value)
    assert rewards_of(folder, event_id) == [("shown", 0.0), ("explicit", 0.5)]


def test_a_deferred_event_counts_once_it_is_activated(
    client: PersonalizerClient, folder: Path
) -> None:
    event_id = client.rank(rank_request(defer_activation=True)).event_id
    client.events.reward(event_id, 1.0)
    assert rewards_of(folder, event_id) == [("explicit", 0.0)]
    client.events.activate(event_id)
    client.events.activate(event_id)
    assert rewards_of(folder, event_id) == [("explicit", 0.0), ("shown", 1.0)]


def test_an_event_that_the_client_names_is_ranked_once(
    client: PersonalizerClient, folder: Path
) -> None:
    event_id = str(uuid.uuid4())
    first, again = (client.rank(rank_request(event_id=event_id)) for _ in range(2))
    assert first.event_id == again.event_id == event_id
    assert first.reward_action_id == again.reward_action_id
    before = {one.id: one.probability for one in first.ranking}
    assert {one.id: one.probability for one in again.ranking} == before
    client.events.reward(event_id, 1.0)
    with pytest.raises(ErrorResponseException, match="one rank"):
        client.rank(rank_request(event_id=event_id, actions=[RankableAction(id="x", features=[])]))


def test_what_is_excluded_has_no_chance(client: PersonalizerClient) -> None:
    answer = client.rank(rank_request(excluded_actions=["pasta", "salad"]))
    assert answer.reward_action_id == "juice"
    assert {one.id: one.probability for one in answer.ranking} == {
        "juice": 1.0,
        "pasta": 0.0,
        "salad": 0.0,
    }


def test_more_than_fifty_actions_are_fine(client: PersonalizerClient) -> None:
    actions = [RankableAction(id=f"a{i}", features=[{"n": i}]) for i in range(300)]
    answer = client.rank(rank_request(actions=actions))
    assert len(answer.ranking) == 300


def test_a_refusal_can_be_taken_apart(client: PersonalizerClient) -> None:
    with pytest.raises(ErrorResponseException) as caught:
        client.rank(rank_request(excluded_actions=["pasta", "juice", "salad"]))
    error = caught.value.error.error
    assert (error.code, error.target) == ("BadRequest", "excludedActions")
    assert "must leave at least one" in error.message
    for call in (client.events.activate, lambda name: client.events.reward(name, 1.0)):
        with pytest.raises(HttpOperationError, match="Not Found"):
            call("nobody ranked it")


def test_slots(preview: PreviewClient, folder: Path) -> None:
    ask = {"contextFeatures": CONTEXT, "actions": ACTIONS, "slots": SLOTS, "eventId": "page 1"}
    answer = preview.rank_multi_slot(ask)
    assert answer["eventId"] == "page 1"
    assert [slot["id"] for slot in answer["slots"]] == ["hero", "side"]
    hero, side = (slot["rewardActionId"] for slot in answer["slots"])
    assert hero != side
    assert hero != "salad"
    assert preview.rank_multi_slot(ask) == answer
    preview.reward_multi_slot("page 1", {"reward": [{"slotId": "side", "value": 0.5}]})
    (side_id,) = stored(folder, "SELECT decision_id FROM decisions WHERE slot = 'side'")[0]
    assert rewards_of(folder, side_id) == [("shown", 0.0), ("explicit", 0.5)]
    with pytest.raises(HttpResponseError, match="slot of the event"):
        preview.reward_multi_slot("page 1", {"reward": [{"slotId": "top", "value": 1}]})


def test_deferred_slots_are_activated_together(preview: PreviewClient, folder: Path) -> None:
    ask = {"actions": ACTIONS, "slots": SLOTS, "eventId": "f" * 32, "deferActivation": True}
    preview.rank_multi_slot(ask)
    assert rewards_of(folder, "f" * 32) == []
    preview.activate_multi_slot("f" * 32)
    assert rewards_of(folder, "f" * 32) == [("shown", 0.0)] * 2


def test_the_preview_client_ranks_single_slots_too(preview: PreviewClient) -> None:
    answer = preview.rank({"contextFeatures": CONTEXT, "actions": ACTIONS})
    preview.reward(answer["eventId"], {"value": 1})
    preview.activate(answer["eventId"])
    with pytest.raises(ResourceNotFoundError):
        preview.activate("nobody ranked it")


def test_the_configuration_is_read_and_not_changed(
    administration: PersonalizerAdministrationClient,
) -> None:
    service = administration.get_service_configuration()
    assert service["rewardWaitTime"] == "PT1H"
    assert service["rewardAggregation"] == "earliest"
    assert service["explorationPercentage"] == 0.01
    assert (
        administration.update_service_configuration(service | {"rewardWaitTime": "PT60M"})
        == service
    )
    with pytest.raises(HttpResponseError, match="window_minutes"):
        administration.update_service_configuration(service | {"rewardWaitTime": "PT2H"})
    with pytest.raises(HttpResponseError, match="holdout"):
        administration.update_service_configuration(service | {"learningMode": "Apprentice"})
    policy = administration.get_policy()
    assert policy["name"] == "linucb"
    assert administration.update_policy(policy) == policy
    with pytest.raises(HttpResponseError, match=r"placements\.policy"):
        administration.update_policy(policy | {"arguments": "--cb_explore_adf"})


def test_a_wrong_key_is_refused(address: str) -> None:
    client = PersonalizerClient(address, CognitiveServicesCredentials("wrong"))
    with pytest.raises(ErrorResponseException) as caught:
        client.rank(rank_request())
    assert caught.value.error.error.code == "Unauthorized"


@pytest.mark.parametrize("version", ["", "v1.0/", "v1.1-preview.1/", "v1.1-preview.3/"])
def test_every_version_has_every_route(address: str, version: str) -> None:
    key = {"ocp-apim-subscription-key": KEY}
    ask = {"actions": ACTIONS, "slots": SLOTS}
    with httpx.Client(base_url=f"{address}/personalizer/{version}", headers=key) as http:
        event_id = http.post("rank", json=ask).json()["eventId"]
        assert http.post(f"events/{event_id}/activate").status_code == 204
        answer = http.post("multislot/rank", json=ask)
        assert answer.status_code == 201
        path = f"multislot/events/{answer.json()['eventId']}/activate"
        assert http.post(path).status_code == 204
        assert http.get("configurations/policy").json()["name"] == "linucb"
        assert http.get("evaluations").json()["error"]["code"] == "ResourceNotFound"
