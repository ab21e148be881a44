"""Segments over HTTP: what they are, who is in them and why; a refit under load drops nothing."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.service import configuration, problem_of, running_service

N_VISITORS = 40
SEGMENTS = {
    "family": "kmeans",
    "n_segments": 2,
    "absences": [{"name": "away", "feature": "unseen_days", "days": 5}],
}


def orders(number: int) -> list[dict[str, Any]]:
    """Half of the visitors buy often and much; one in ten was away for long."""
    often = number % 2
    last = datetime.now(UTC) - timedelta(days=8 if number % 10 == 0 else 1)
    return [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": f"v{number:02d}",
            "messageId": f"m{number}-{order}",
            "timestamp": (last - timedelta(days=order)).isoformat(),
            "properties": {"total": 90.0 + number if often else 4.0},
        }
        for order in range(9 if often else 1)
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service whose segments were fitted while decisions were asked for."""
    folder = tmp_path_factory.mktemp("segments")
    with running_service(folder, configuration(segments=SEGMENTS)) as client:
        batch = [message for number in range(N_VISITORS) for message in orders(number)]
        assert client.post("/v1/batch", json={"batch": batch}).json()["accepted"] == len(batch)
        yield client


def until(client: httpx.Client, path: str, holds: Any) -> dict[str, Any]:
    for _ in range(1_200):
        body: dict[str, Any] = client.get(path).json()
        if holds(body):
            return body
        time.sleep(0.05)
    raise AssertionError(f"{path}: {body}")


def refit(client: httpx.Client, **how: bool) -> dict[str, Any]:
    assert client.post("/v1/segments/refit", json=how).status_code == 202
    done: dict[str, Any] = until(client, "/v1/segments", lambda body: not body["fitting"])
    return done


def ask(client: httpx.Client, number: int) -> int:
    body = {"visitor": f"v{number % N_VISITORS:02d}", "placement": "home"}
    answer = client.post("/v1/decisions", json=body)
    return answer.status_code if not answer.json()["default"] else 0


def test_a_refit_under_load_drops_no_request(shop: httpx.Client) -> None:
    assert shop.post("/v1/segments/refit").status_code == 202
    statuses: list[int] = []
    with ThreadPoolExecutor(8) as clients:
        while shop.get("/v1/segments").json()["fitting"]:
            statuses += clients.map(lambda number: ask(shop, number), range(32))
    assert set(statuses) == {200}
    found = shop.get("/v1/segments").json()
    assert (found["version"], found["family"], found["problem"]) == (1, "kmeans", None)
    assert found["last_refit"]["outcome"] == "adopted"


def test_everybody_is_in_a_segment_and_in_a_window_or_out_of_it(shop: httpx.Client) -> None:
    def settled(body: dict[str, Any]) -> bool:
        return sum(one["members"] for one in body["segments"]) == N_VISITORS

    found = until(shop, "/v1/segments", settled)
    assert found["absences"] == [
        {"name": "away", "feature": "unseen_days", "days": 5.0, "members": 4}
    ]
    page = shop.get("/v1/segments/away/members", params={"limit": 3}).json()
    rest = shop.get("/v1/segments/away/members", params={"after": page["next"]}).json()
    away = [one["visitor"] for one in page["members"] + rest["members"]]
    assert away == ["v00", "v10", "v20", "v30"]
    assert rest["next"] is None
    ids = [one["id"] for one in found["segments"]]
    members = [shop.get(f"/v1/segments/{name}/members").json()["members"] for name in ids]
    assert sorted(one["visitor"] for some in members for one in some) == [
        f"v{number:02d}" for number in range(N_VISITORS)
    ]


def test_changes_are_followed_in_the_order_of_the_log(shop: httpx.Client) -> None:
    first = shop.get("/v1/segments/transitions", params={"limit": 2}).json()
    more = shop.get("/v1/segments/transitions", params={"after": first["next"], "limit": 1_000})
    seen = first["transitions"] + more.json()["transitions"]
    assert [one["seq"] for one in seen] == list(range(1, len(seen) + 1))
    assert {one["cause"] for one in seen if one["grouping"] == "segments"} == {"refit"}
    again = shop.get("/v1/segments/transitions", params={"after": more.json()["next"]}).json()
    assert again == {"transitions": [], "next": seen[-1]["seq"]}
    flows = shop.get("/v1/segments/flows").json()["flows"]
    assert sum(one["visitors"] for one in flows) == len(seen)
    nothing = shop.get("/v1/segments/flows", params={"since": "2200-01-01T00:00:00Z"}).json()
    assert nothing == {"flows": []}


def test_a_visitor_is_explained(shop: httpx.Client) -> None:
    found = shop.get("/v1/visitors/v01/segments").json()
    assert {one["grouping"] for one in found["memberships"]} == {"segments", "away"}
    (segment,) = [m["segment"] for m in found["memberships"] if m["grouping"] == "segments"]
    assert found["segment"]["id"] == segment
    assert found["traits"][0].keys() == {"feature", "own", "segment", "everybody"}
    assert {one["grouping"] for one in found["transitions"]} == {"segments", "away"}
    shown = shop.get(f"/v1/segments/{segment}").json()
    assert shown["description"] == found["segment"]["description"]
    assert shown["means"]["orders"] == pytest.approx(9.0, abs=0.5)


def test_a_dry_run_adopts_nothing_and_fits_can_be_compared(shop: httpx.Client) -> None:
    tried = refit(shop, dry_run=True)
    assert (tried["version"], tried["last_refit"]["outcome"]) == (1, "dry-run")
    assert tried["last_refit"]["reason"] == "it would be adopted"
    again = refit(shop)
    assert (again["version"], again["churn"]) == (2, 0.0)
    outcomes = [one["outcome"] for one in shop.get("/v1/segments/refits").json()["refits"]]
    assert outcomes == ["adopted", "dry-run", "adopted"]
    compared = shop.get("/v1/segments/compare", params={"old": 1, "new": 2}).json()
    assert (compared["visitors"], compared["churn"]) == (N_VISITORS, 0.0)
    metrics = shop.get("/metrics").text
    assert 'segue_segment_refits_total{outcome="adopted"} 2.0' in metrics
    assert 'segue_segment_members{grouping="away",segment="away"} 4.0' in metrics


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/segments/s99", 404, "segment"),
        ("/v1/segments/awai/members", 404, "segment"),
        ("/v1/segments/compare?old=1&new=77", 404, "new"),
        ("/v1/segments/compare?old=1", 422, "new"),
        ("/v1/segments/away/members?limit=0", 422, "limit"),
        ("/v1/segments/flows?since=yesterday", 422, "since"),
        ("/v1/visitors/nobody/segments", 404, "visitor"),
    ],
)
def test_what_there_is_not_says_what_there_is(
    shop: httpx.Client, path: str, status: int, field: str
) -> None:
    problem_of(shop.get(path), status, field)


def test_a_refit_takes_no_other_words(shop: httpx.Client, tmp_path: Path) -> None:
    problem_of(shop.post("/v1/segments/refit", json={"dryrun": True}), 422, "dryrun")
