"""Champion and challengers over HTTP: planted ones win and lose by themselves, all is audited."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from api.auth import key_hash
from api.cli.main import app
from api.routes.policies import LARGEST_BODY
from tests.api.service import problem_of, running_service, stored, write_configuration
from tests.api.trials import BLIND, BOLD, START, shop

KEY = "segue_test_all"
SCOPES = ["decide", "reward", "read", "admin"]
WAIT_SECONDS = 60


def configured(folder: Path) -> dict[str, Any]:
    made = shop(folder)
    made["service"]["max_body_kb"] = 2048
    return {**made, "keys": [{"name": "growth", "sha256": key_hash(KEY), "scopes": SCOPES}]}


class Shop:
    """A client that visits, and asks about policies."""

    def __init__(self, client: httpx.Client) -> None:
        client.headers["authorization"] = f"Bearer {KEY}"
        self.client, self.n_visits = client, 0

    def visit(self, n: int) -> None:
        for _ in range(n):
            at = START + timedelta(seconds=10 * self.n_visits)
            body = {"visitor": f"v{self.n_visits}", "placement": "home"}
            answer = self.client.post("/v1/decisions", json={**body, "timestamp": at.isoformat()})
            decided = answer.json()
            assert not decided["default"]
            total = sum(one["probability"] for one in decided["ranking"])
            assert abs(total - 1.0) < 1e-9
            value = float(decided["action"]["id"] == "tea")
            reward = {"decision_id": decided["decision_id"], "value": value}
            assert self.client.post("/v1/rewards", json=reward).status_code == 200
            self.n_visits += 1

    def listed(self) -> dict[str, Any]:
        answer = self.client.get("/v1/placements/home/policies")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def roles(self) -> dict[str, str]:
        return {one["policy"]: one["role"] for one in self.listed()["policies"]}

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.client.post(f"/v1/placements/home/policies{path}", json=body)

    def add(self, name: str, spec: dict[str, Any]) -> None:
        parameters = {key: value for key, value in spec.items() if key != "kind"}
        answer = self.post("", name=name, kind=spec["kind"], parameters=parameters)
        assert answer.status_code == 201, answer.text

    def visit_until(self, role: str, policy: str) -> None:
        deadline, enough = time.monotonic() + WAIT_SECONDS, self.n_visits + 600
        while self.roles()[policy] != role:
            assert time.monotonic() < deadline, self.listed()
            if self.n_visits < enough:
                self.visit(20)
            else:
                time.sleep(0.1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Shop]:
    with running_service(tmp_path, configured(tmp_path)) as client:
        yield Shop(client)


def test_a_planted_better_challenger_is_promoted_by_itself_and_a_worse_one_rolled_back(
    home: Shop, tmp_path: Path
) -> None:
    home.visit(60)
    home.add("better", BOLD)
    assert home.post("/better/shadow", reason="a look first").status_code == 200
    home.visit(20)
    assert home.post("/better/mix", share=0.5).status_code == 200
    home.visit_until("champion", "better@1")
    assert home.post("/configured/rollback").status_code == 200
    home.add("worse", BLIND)
    assert home.post("/worse/mix", share=0.5).status_code == 200
    home.visit_until("kept", "worse@1")
    assert home.roles() == {
        "configured@1": "fallback", "better@1": "champion", "worse@1": "kept",
    }  # fmt: skip
    answer = home.client.get("/v1/placements/home/policies/audit")
    steps = answer.json()["steps"]
    assert [(one["what"], one["policy"], one["actor"]) for one in reversed(steps)] == [
        ("configured", "configured@1", "configuration"),
        ("added", "better@1", "growth"),
        ("shadow", "better@1", "growth"),
        ("mixture", "better@1", "growth"),
        ("promoted", "better@1", "gate"),
        ("rolled back", "configured@1", "growth"),
        ("added", "worse@1", "growth"),
        ("mixture", "worse@1", "growth"),
        ("rolled back", "worse@1", "gate"),
    ]
    assert steps[0]["evidence"]["verdict"] == "roll back"
    assert steps[4]["evidence"]["rows"] > 0
    assert steps[6]["reason"] == "a look first"
    estimate = home.client.get("/v1/placements/home/policies/better/estimate").json()
    assert estimate["answerable"]
    assert estimate["interval"][0] <= estimate["value"] <= estimate["interval"][1]
    assert estimate["value"] > 0.8
    check_log(tmp_path)


def check_log(folder: Path) -> None:
    """What was logged of a mixture is exactly the mixture of its parts, under its share."""
    rows = stored(
        folder,
        """SELECT d.probability, d.parts, s.share, d.lineup FROM decisions d
           JOIN policy_steps s ON s.step = d.lineup""",
    )
    n_mixed = 0
    for probability, parts, share, _ in rows:
        said = np.frombuffer(parts) if parts else np.array([probability])
        if share is None:
            assert said[0] == probability
        else:
            assert (1.0 - share) * said[0] + share * said[1] == probability
            n_mixed += 1
    assert n_mixed > 50


def test_nonsense_is_refused_with_what_to_do(home: Shop) -> None:
    problem_of(home.post("", name="a b", kind="lints"), 422, "name")
    problem_of(home.post("", name="x"), 422)
    problem_of(home.post("", name="x", kind="lintz"), 422, "kind")
    problem_of(home.post("", name="x", model="bm8gemlw"), 422, "model")
    url = "/v1/placements/home/policies"
    assert problem_of(home.client.post(url, content=b"{"), 400)["type"].endswith("malformed-json")
    problem_of(home.client.get(f"{url}/audit?limit=0"), 422)
    problem_of(home.post("/nobody/shadow"), 404, "policy")
    problem_of(home.post("/configured/mix", share=0.5), 409, "policy")
    problem_of(home.post("/configured/mix", share=1.5), 422, "share")
    problem_of(home.post("/configured/rollback"), 409, "policy")
    problem_of(home.client.get("/v1/placements/nowhere/policies"), 404, "placement")
    large = b'{"name": "' + b"x" * LARGEST_BODY + b'"}'
    problem_of(home.client.post("/v1/placements/home/policies", content=large), 413)
    assert home.client.post("/v1/placements/home/policies/configured/rollback").status_code == 409
    assert home.roles() == {"configured@1": "champion"}


def test_the_commands_do_the_same_with_a_service_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_KEY", KEY)
    (tmp_path / "bold.toml").write_text('kind = "lints"\nalpha = 0.1\n')
    config = write_configuration(tmp_path, configured(tmp_path))

    def segue(*arguments: str, code: int = 0) -> str:
        told = CliRunner().invoke(app, ["policies", *arguments, "--placement", "home"])
        assert told.exit_code == code, told.output
        return told.output

    here = ("--config", str(config))
    segue("add", "bold", str(tmp_path / "bold.toml"), *here)
    assert "shadow" in segue("shadow", "bold", *here)
    with running_service(tmp_path, configured(tmp_path)) as client:
        there = ("--url", str(client.base_url))
        listed = segue("list", *there)
        assert "bold@1" in listed
        assert "shadow" in listed
        again = segue("add", "bold", str(tmp_path / "bold.toml"), *there, code=2)
        assert "already, as bold@1" in again
        segue("mix", "bold", "--share", "0.2", *there)
        assert "gate: wait" in segue("list", *there)
        assert "the log cannot tell" in segue("judge", "bold", *there)
        segue("promote", "bold", "--reason", "I know it", *there)
        assert "I know it" in segue("audit", *there)
        segue("export", "bold", str(tmp_path / "bold.zip"), *there)
        assert "copy@1" in segue("add", "copy", str(tmp_path / "bold.zip"), *there)
    assert '"role": "champion"' in segue("list", "--json", *here)
    assert "configured@1" in segue("rollback", "bold", *here)
    assert "must be above 0 and below 1" in segue("mix", "bold", "--share", "2", *here, code=2)
    assert ".toml" in segue("add", "x", str(tmp_path / "x.txt"), *here, code=2)
