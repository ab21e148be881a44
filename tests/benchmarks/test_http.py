import json
import sqlite3
from pathlib import Path

from api.configuration import load_settings
from api.schemas.decision import DecisionRequest
from benchmarks.http import Plan, measure_service
from benchmarks.http_workload import N_ACTIONS, make_requests, not_logged, render_configuration


def test_requests_and_configuration_fit_each_other(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(render_configuration(8080))
    (placement,) = load_settings(path).placements
    body = json.loads(make_requests(8080)[0].partition(b"\r\n\r\n")[2])
    request = DecisionRequest.model_validate(body)
    assert request.placement == placement.name
    assert set(request.context) == set(placement.context)
    assert len(placement.actions) == N_ACTIONS


def test_a_decision_that_is_not_in_the_log_is_noticed(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "log.db") as connection:
        connection.execute("CREATE TABLE decisions (decision_id TEXT)")
        connection.executemany("INSERT INTO decisions VALUES (?)", [("a",), ("b",)])
    connection.close()
    assert not_logged(tmp_path / "log.db", ["a", "b"]) == 0
    assert not_logged(tmp_path / "log.db", ["a", "c"]) == 1
    assert not_logged(tmp_path / "log.db", ["a", "a"]) == 1


def test_a_short_round_against_the_real_service_loses_nothing(tmp_path: Path) -> None:
    measured = measure_service(tmp_path, Plan(n_rounds=1, seconds=0.2))
    assert measured.n_acknowledged > 200
    assert (measured.n_failures, measured.n_not_logged, measured.n_defaults) == (0, 0, 0)
