"""Seeing inside over HTTP: the actions of a placement, and the explanation of a decision."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.service import configuration, placement, problem_of, running_service

TEA = {"id": "price", "kind": "price", "price_cents": 990}
RANGE = {"min_cents": 500, "max_cents": 1500, "step_cents": 10, "n_bins": 4}
SHOPS = [
    placement(policy={"kind": "epsilon_greedy", "epsilon": 1.0}),
    placement(name="never", condition="context.basket > 1000000"),
    placement(name="rivals", challenger={"kind": "lints", "share": 0.2}),
    {
        "name": "priced",
        "actions": ["price"],
        "default": "price",
        "context": {"basket": "number"},
        "price_range": RANGE,
    },
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("insight")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    settings = configuration(placements=SHOPS)
    settings["actions"].append(TEA)
    with running_service(folder, settings) as client:
        yield client


def decide(client: httpx.Client, shop: str, visitor: str = "ann", **more: Any) -> dict[str, Any]:
    body = {"visitor": visitor, "placement": shop, "context": {"basket": 0.5}, **more}
    answer = client.post("/v1/decisions", json=body)
    assert answer.status_code == 200, answer.text
    decided: dict[str, Any] = answer.json()
    return decided


def teach(client: httpx.Client, shop: str, n: int) -> list[dict[str, Any]]:
    """Decisions of which tea, and prices up to 10, earn 1; returned when all are learned."""
    answers = [decide(client, shop, f"{shop}-{i}") for i in range(n)]
    for answer in answers:
        value = float(answer["action"]["id"] == "tea" or (answer["price_cents"] or 9e9) <= 1000)
        reward = {"decision_id": answer["decision_id"], "value": value}
        assert client.post("/v1/rewards", json=reward).status_code == 200
    for _ in range(500):
        if client.get("/v1/policies").json()["rewards_pending"] == 0:
            return answers
        time.sleep(0.02)
    raise AssertionError("the rewards were never learned")


def actions(client: httpx.Client, shop: str) -> dict[str, dict[str, Any]]:
    answer = client.get(f"/v1/placements/{shop}/actions")
    assert answer.status_code == 200, answer.text
    return {row["id"]: row for row in answer.json()["actions"]}


def explanation(client: httpx.Client, decided: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/v1/decisions/{decided['decision_id']}/explanation")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_actions_say_what_was_shown_and_what_it_earned(client: httpx.Client) -> None:
    assert {row["n"] for row in actions(client, "home").values()} == {0}
    assert actions(client, "home")["tea"]["mean_reward"] is None
    answers = teach(client, "home", 60)
    found = actions(client, "home")
    assert set(found) == {"tea", "salt", "beef"}
    for name, row in found.items():
        assert row["n"] == sum(answer["action"]["id"] == name for answer in answers)
        assert row["configured"]
        if row["n"]:
            assert row["mean_reward"] == float(name == "tea")
            assert 0.0 <= row["low"] <= row["mean_reward"] <= row["high"] <= 1.0
    assert sum(row["p_best"] or 0.0 for row in found.values()) == pytest.approx(1.0)
    assert found["tea"]["p_best"] > 0.9


def test_an_action_that_a_request_brought_along_is_listed_as_such(client: httpx.Client) -> None:
    answer = decide(client, "rivals", actions=[{"id": "mine"}])
    reward = {"decision_id": answer["decision_id"], "value": 1.0}
    assert client.post("/v1/rewards", json=reward).status_code == 200
    teach(client, "rivals", 1)
    assert [*actions(client, "rivals")] == ["tea", "salt", "beef", "mine"]
    assert not actions(client, "rivals")["mine"]["configured"]


def test_a_price_range_lists_its_bins(client: httpx.Client) -> None:
    answers = teach(client, "priced", 40)
    body = client.get("/v1/placements/priced/actions").json()
    assert body["of"] == "prices"
    assert [row["id"] for row in body["actions"]] == [
        "500-740",
        "750-990",
        "1000-1240",
        "1250-1500",
    ]
    for row in body["actions"]:
        low, high = map(int, row["id"].split("-"))
        assert row["n"] == sum(low <= answer["price_cents"] <= high for answer in answers)


def test_an_explanation_takes_each_score_apart(client: httpx.Client, folder: Path) -> None:
    teach(client, "home", 30)
    decided = decide(client, "home", "explained", context={"basket": 0.7, "device": "mobile"})
    found = explanation(client, decided)
    assert found["action"] == decided["action"]["id"]
    assert found["policy_version"] == decided["policy_version"]
    assert found["explained_by"].startswith("home.")
    assert (found["default"], found["n_candidates"]) == (False, 3)
    assert [row["id"] for row in found["candidates"]] == [row["id"] for row in decided["ranking"]]
    for row, ranked in zip(found["candidates"], decided["ranking"], strict=True):
        assert row["probability"] == ranked["probability"]
        assert row["deviation"] > 0.0
        sizes = [abs(part["value"]) for part in row["contributions"]]
        assert sizes == sorted(sizes, reverse=True)
        assert 0 < len(sizes) <= 8
    names = {part["feature"] for row in found["candidates"] for part in row["contributions"]}
    assert "context.basket" in names
    assert all(name.partition(".")[0] in ("context", "pair", "rest") for name in names)


def test_a_price_is_explained_by_the_context(client: httpx.Client) -> None:
    teach(client, "priced", 20)
    decided = decide(client, "priced", "explained")
    found = explanation(client, decided)
    assert found["price_cents"] == decided["price_cents"]
    (row,) = found["candidates"]
    assert (row["id"], row["probability"]) == ("price", 1.0)
    # What a drawn price adds may be next to nothing, and so what its crosses with the context do.
    names = {part["feature"] for part in row["contributions"]}
    assert "context.intercept" in names
    assert all(name.partition(".")[0] in ("context", "pair", "rest") for name in names)


def test_the_current_model_explains_and_says_so(client: httpx.Client) -> None:
    decided = decide(client, "home", "early")
    before = explanation(client, decided)
    teach(client, "home", 5)
    after = explanation(client, decided)
    assert before["policy_version"] == after["policy_version"]
    assert before["explained_by"] != after["explained_by"]
    assert before["candidates"] != after["candidates"]


def test_a_default_has_nothing_that_was_scored(client: httpx.Client) -> None:
    found = explanation(client, decide(client, "never"))
    assert (found["default"], found["reason"]) == (True, "no eligible action")
    assert found["candidates"] == []


def test_of_many_candidates_the_chosen_one_and_the_best_are_explained(client: httpx.Client) -> None:
    decided = decide(client, "home", actions=[{"id": f"a{i}"} for i in range(50)])
    found = explanation(client, decided)
    assert (found["n_candidates"], len(found["candidates"])) == (50, 20)
    assert found["candidates"][0]["id"] == decided["action"]["id"]


def test_what_is_unknown_is_a_404(client: httpx.Client) -> None:
    problem = problem_of(client.get("/v1/placements/hone/actions"), 404, "placement")
    assert "did you mean 'home'?" in problem["detail"]
    problem_of(client.get("/v1/decisions/nothing/explanation"), 404, "decision_id")
