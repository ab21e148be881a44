"""`/metrics`: what is there, and that it agrees with what happened."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.api.service import configuration, running_service
from tests.api.test_overload import Service, locked, within

ROOT = Path(__file__).parents[2]
Samples = dict[tuple[str, tuple[str, ...]], float]


def read(answer: httpx.Response) -> Samples:
    """Every sample by name and label values."""
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_decision_a_reward_and_an_event_show_in_every_metric(tmp_path: Path) -> None:
    with running_service(tmp_path, configuration()) as client:
        ask = {"visitor": "ann", "placement": "home"}
        decided, *_ = [client.post("/v1/decisions", json=ask).json() for _ in range(4)]
        reward = {"decision_id": decided["decision_id"], "value": 2.0}
        client.post("/v1/rewards", json=reward)
        client.post("/v1/track", json={"userId": "ann", "event": "Product Viewed"})
        client.get("/v1/policies")
        client.get("/v1/visitors/ann")
        client.get("/v1/visitors/nobody")
        client.get("/nowhere")
        while read(client.get("/metrics"))[("segue_learner_lag_rewards", ())]:
            pass
        found = read(client.get("/metrics"))
    assert found[("segue_requests_total", ("/v1/policies", "200"))] == 1
    assert found[("segue_requests_total", ("/v1/visitors/{visitor}", "200"))] == 1
    assert found[("segue_requests_total", ("/v1/visitors/{visitor}", "404"))] == 1
    assert found[("segue_requests_total", ("none", "404"))] == 1
    for stage in ("parse", "choose", "log"):
        assert found[("segue_stage_seconds_count", (stage,))] == 4
    chosen = [
        found[("segue_audited_choices_total", (kind, "home"))] for kind in ("greedy", "explored")
    ]
    assert sum(chosen) == 1
    assert found[("segue_rewarded_decisions", ("home",))] == 1
    assert found[("segue_reward_sum", ("home",))] == 2
    assert found[("segue_commits_total", ())] >= 3
    assert found[("segue_commit_writes_total", ())] >= found[("segue_commits_total", ())]
    assert found[("segue_requests_in_flight", ("decide",))] == 0
    assert found[("segue_store_bytes", ("database",))] > 0
    assert found[("process_open_fds", ())] > 0
    assert ("segue_propensity_p_value", ("home",)) not in found  # not enough decisions yet


def test_while_the_log_cannot_answer_the_other_metrics_do(tmp_path: Path) -> None:
    async def work(service: Service) -> None:
        with locked(tmp_path):
            found = read(await service.get("/metrics"))
        assert ("segue_learner_lag_rewards", ()) not in found
        assert found[("segue_store_breaker", ())] == 0

    within(tmp_path, work)
    with closing(sqlite3.connect(tmp_path / "segue.db")) as store:
        assert store.execute("SELECT count(*) FROM decisions").fetchone() == (0,)


def test_every_metric_and_every_event_of_the_log_is_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    with running_service(tmp_path, configuration()) as client:
        client.post("/v1/decisions", json={"visitor": "ann", "placement": "home"})
        text = client.get("/metrics").text
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        if not name.startswith("process_") and not name.endswith("_created"):
            assert f"`{name}`" in page, name
    for path in (ROOT / "api").rglob("*.py"):
        for event in re.findall(
            r'log\.(?:info|warning|error|exception)\(\s*"([a-z_]+)"',
            path.read_text(encoding="utf-8"),
        ):
            assert f"`{event}`" in page, f"{path}: {event}"
