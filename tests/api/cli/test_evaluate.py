"""`segue evaluate`: on the log of a real engine, and on files."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.evaluate.grid import candidates_of
from api.cli.evaluate.policies import prepared, wanted
from api.cli.main import app
from api.storage.base import StoreError
from api.storage.decision_log import DecisionLog
from policy.errors import EvaluationError, ParameterError
from policy.ope.formats.dsjson import write_dsjson
from policy.ope.formats.obp import write_npz
from policy.ope.formats.parquet import write_parquet
from policy.ope.log import Decisions
from policy.ppo.network import untrained
from tests.api.loop.shops import COMMON, open_for, shop
from tests.api.loop.test_engine import live, run, settings
from tests.api.service import configuration, placement, write_configuration

N = 150
EVEN = {"kind": "epsilon_greedy", "epsilon": 1.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What 150 decisions left behind, and one that has yet to earn something."""
    folder = tmp_path_factory.mktemp("evaluated")

    async def work(engine: Any) -> None:
        await live(engine, 0, N)

    made = settings(folder, "epsilon_greedy", policy={"kind": "epsilon_greedy", "epsilon": 0.6})
    run(made, work)
    return folder / "s.db"


def segue(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def logged(store: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(store)) as connection:
        return [value for (value,) in connection.execute(sql)]


def test_the_store_is_read_as_it_was_written(store: Path) -> None:
    log = DecisionLog(store, "home")
    (rows,) = log.chunks()
    settled = "EXISTS (SELECT 1 FROM rewards r WHERE r.decision_id = d.decision_id AND r.is_first)"
    chosen = logged(store, f"SELECT action_id FROM decisions d WHERE {settled} ORDER BY seq")
    assert [rows.actions[place] for place in rows.action] == chosen
    assert 0 < len(chosen) <= N
    probabilities = logged(
        store, f"SELECT probability FROM decisions d WHERE {settled} ORDER BY seq"
    )
    assert rows.propensity.tolist() == probabilities
    assert rows.logging is not None
    np.testing.assert_allclose(rows.logging.sum(axis=1), 1.0)
    (earned,) = logged(store, "SELECT sum(value) FROM rewards")
    assert rows.reward.sum() == pytest.approx(earned)
    assert rows.cluster is not None
    assert len(set(rows.cluster.tolist())) == 7
    assert rows.context[:, log.context_names.index("intercept")].tolist() == [1.0] * rows.n_rows
    assert set(rows.labels) == {"segment", "day", "weekday", "hour"}


def test_small_chunks_are_the_same_log(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = DecisionLog(store, "home").chunks()
    monkeypatch.setattr("api.storage.decision_log.LARGEST_CHUNK", 7)
    parts = list(DecisionLog(store, "home").chunks())
    assert [part.first_row for part in parts] == list(range(0, whole.n_rows, 7))
    for name in ("action", "reward", "context", "features", "cluster"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


@pytest.mark.parametrize(
    ("name", "placement_name", "told"),
    [("s.db", "hoem", "it has decisions of: home"), ("none.db", "home", "cannot be read")],
)
def test_a_log_that_is_not_there_is_named(
    store: Path, name: str, placement_name: str, told: str
) -> None:
    with pytest.raises(StoreError, match=told):
        DecisionLog(store.with_name(name), placement_name)


def configured(folder: Path, store: Path) -> Path:
    service = {**configuration()["service"], "database": str(store)}
    return write_configuration(folder, configuration(service=service, placements=[placement()]))


def test_what_was_logged_would_have_earned_what_it_did(store: Path, tmp_path: Path) -> None:
    config, data, page = configured(tmp_path, store), tmp_path / "e.json", tmp_path / "e.html"
    result = segue(
        "--config", config, "--placement", "home", "--policy", "logged", "--policy", "uniform",
        "--policy", "always:tea", "--baseline", "logged", "--by", "day", "--rewards", 0, 5,
        "--json", data, "--out", page,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    of = {row["policy"]: row for row in found["results"] if row["label"] == "overall"}
    by_name = {one["estimator"]: one for one in of["logged"]["estimates"]}
    for exact in ("ips", "snips"):  # every weight is 1; the others add what their model smooths
        assert by_name[exact]["value"] == pytest.approx(found["mean_reward"])
    assert of["logged"]["effective_rows"] == pytest.approx(found["n_rows"])
    assert of["uniform"]["answerable"]
    interval = of["uniform"]["any_time"]
    assert 0.0 <= interval["low"] < interval["high"] <= 5.0
    assert of["logged"]["advantage"] is None
    assert of["uniform"]["advantage"]["interval"]["low"] is not None
    assert {row["label"] for row in found["results"]} == {"overall", "day"}
    text = page.read_text()
    assert "<script>" in text
    assert 'src="http' not in text


def test_what_learns_is_judged_on_rows_that_it_did_not_learn_from(store: Path) -> None:
    log = DecisionLog(store, "home")
    (whole,) = log.chunks()
    start, targets = prepared(log.chunks, [wanted("linucb"), wanted("uniform")])
    half = whole.n_rows // 2
    assert start == half
    assert list(targets) == ["linucb", "uniform"]
    assert targets["linucb"].policy.n_updates == half  # type: ignore[attr-defined]  # Learned
    assert prepared(log.chunks, [wanted("uniform")])[0] == 0


@pytest.fixture(scope="module")
def row_groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of five row groups."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("cut") / "log.parquet"
    chunks = [
        Decisions(
            ("a", "b"), rng.integers(0, 2, 200), rng.normal(size=200),
            rng.uniform(0.2, 1.0, 200), rng.normal(size=(200, 2)), first_row=200 * number,
        )
        for number in range(5)
    ]  # fmt: skip
    write_parquet(path, chunks)
    return path


@pytest.mark.parametrize("where", [("--workers", 2), ("--on", "ray", "--workers", 2)])
def test_a_parquet_log_gives_the_same_numbers_wherever_it_is_judged(
    row_groups: Path, tmp_path: Path, where: tuple[object, ...]
) -> None:
    if "ray" in where:
        pytest.importorskip("ray", reason="works on Ray; the extra [ray]")
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    asked = ["--log", row_groups, "--policy", "uniform", "--policy", "linucb"]
    asked += ["--baseline", "uniform", "--rewards", "-9", "9"]
    for options in (("--workers", 1, "--json", here), (*where, "--json", there)):
        result = segue(*asked, *options)
        assert result.exit_code == 0, result.output
    assert there.read_bytes() == here.read_bytes()
    assert json.loads(here.read_text())["results"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--on", "ray", "--exclude"), "only a --log of .parquet, without --exclude"),
        (("--on", "dask"), "must be local, ray, or ray://HOST:PORT"),
    ],
)
def test_where_a_log_cannot_be_judged_is_said(
    row_groups: Path, options: tuple[str, ...], told: str
) -> None:
    result = segue("--log", row_groups, "--policy", "uniform", *options)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_csv_file_is_a_log(tmp_path: Path) -> None:
    path, data = tmp_path / "log.csv", tmp_path / "e.json"
    rows = "".join(f"{'ab'[i % 2]},{(i % 4 == 1) * 1},0.5\n" for i in range(400))
    path.write_text("action,reward,propensity\n" + rows)
    result = segue("--log", path, "--policy", "always:b", "--json", data)
    assert result.exit_code == 0, result.output
    (found,) = json.loads(data.read_text())["results"]
    assert found["estimates"][0]["value"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("ending", [".npz", ".dsjson", ".parquet"])
def test_other_formats_are_logs_with_a_context_to_learn_from(tmp_path: Path, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    path, data = tmp_path / f"log{ending}", tmp_path / "e.json"
    rng = np.random.default_rng(1)
    context = rng.choice([-1.0, 1.0], size=(1_000, 1))
    action = rng.integers(2, size=1_000)
    reward = (context[:, 0] > 0) == action
    log = Decisions(
        ("1", "2"), action, reward.astype(float), np.full(1_000, 0.5), context,
        logging=np.full((1_000, 2), 0.5),
    )  # fmt: skip
    write = {
        ".npz": lambda: write_npz(path, log),
        ".dsjson": lambda: write_dsjson(path, [log]),
        ".parquet": lambda: write_parquet(path, [log]),
    }
    write[ending]()
    result = segue("--log", path, "--policy", "linucb", "--policy", "uniform", "--json", data)
    assert result.exit_code == 0, result.output
    found = {row["policy"]: row for row in json.loads(data.read_text())["results"]}
    assert found["linucb"]["estimates"][0]["value"] == pytest.approx(1.0, abs=0.1)
    assert found["uniform"]["estimates"][0]["value"] == pytest.approx(0.5, abs=0.1)


def test_rows_that_cannot_be_used_are_refused_or_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = "".join(f"{'ab'[i % 2]},{i % 2},{0.5 if i % 10 else 0.0}\n" for i in range(1_000))
    path.write_text("action,reward,propensity\n" + rows)
    arguments = ("--log", path, "--policy", "always:b")
    assert segue(*arguments).exit_code == 2
    result = segue(*arguments, "--exclude")
    assert result.exit_code == 0, result.output
    assert "100 rows of the log left out: propensity" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--policy", "uniform"], "give either --placement"),
        (["--policy", "unifrom", "--log", "x.csv"], "did you mean 'uniform'"),
        (["--policy", "uniform", "--log", "x.txt"], "must end in .csv, .parquet, .npz, .dsjson"),
        (["--policy", "uniform", "--log", "x.csv"], "cannot be read as CSV"),
        (["--policy", "uniform", "--log", "x.npz", "--by", "day"], ".npz files have no labels"),
        (["--policy", "none.toml", "--log", "x.csv"], "cannot be read"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    result = segue(*arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ('kind = "linucbb"', EvaluationError, "did you mean 'linucb'"),
        ('kind = "linucb"\nalhpa = 1.0', ParameterError, "did you mean 'alpha'"),
        ("kind = ", EvaluationError, "cannot be read"),
    ],
)
def test_a_file_that_names_no_policy_is_refused(
    tmp_path: Path, text: str, error: type[Exception], told: str
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)

    def chunks() -> Iterator[Decisions]:
        yield Decisions(("a", "b"), np.array([0, 1]), np.ones(2), np.full(2, 0.5), np.ones((2, 1)))

    with pytest.raises(error, match=told):
        prepared(chunks, [wanted(str(path))])


def test_files_give_their_name(tmp_path: Path) -> None:
    always, even = tmp_path / "tea.toml", tmp_path / "even.toml"
    always.write_text('always = "tea"')
    even.write_text('kind = "uniform"')
    assert [wanted(str(path)).name for path in (always, even)] == ["tea", "even"]
    with pytest.raises(EvaluationError, match="two policies are called 'tea'"):
        prepared(list, [wanted(str(always))] * 2)


def edited(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_rules_networks_and_models_are_judged_by_the_names_of_features(
    store: Path, tmp_path: Path
) -> None:
    config, data = configured(tmp_path, store), tmp_path / "e.json"
    names, ids = DecisionLog(store, "home").context_names, ("beef", "salt", "tea")
    network = untrained((names[3], names[1]), ids, np.random.default_rng(0))
    (tmp_path / "net.zip").write_bytes(network.to_bytes())
    floored = edited(tmp_path, "even.toml", 'model = "net.zip"\nfloor = 0.999\n')
    rules = edited(
        tmp_path,
        "rules.toml",
        'otherwise = "salt"\n[[rules]]\nshow = "tea"\nwhen = \'context.device == "mobile"\'\n'
        '[[rules]]\nshow = "beef"\nwhen = "context.hour > 0.6 and profile.orders >= 1"\n',
    )
    model = tmp_path / "mine.zip"
    result = CliRunner().invoke(
        app, ["export", "model", "--placement", "home", "--out", str(model), "-c", str(config)]
    )
    assert result.exit_code == 0, result.output
    result = segue(
        "--config", config, "--placement", "home", "--policy", tmp_path / "net.zip", "--policy",
        rules, "--policy", floored, "--policy", model, "--policy", "uniform", "--json", data,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    value = {row["policy"]: row["estimates"][0]["value"] for row in found["results"]}
    assert list(value) == ["net", "rules", "even", "mine", "uniform"]
    assert value["even"] == pytest.approx(value["uniform"], abs=0.01)
    assert all(abs(one) < 10.0 for one in value.values())
    (warning,) = found["warnings"]
    assert warning.startswith("mine: has learned rewards up to row")
    assert warning[:40] in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "r.toml",
            'otherwise = "tea"\n[[rules]]\nwhen = "basket > 1"\nshow = "tea"',
            "no such field",
        ),
        ("r.toml", '[[rules]]\nwhen = "segment is known"\nshow = "tea"', "and otherwise"),
        ("r.toml", 'otherwise = "tea"\n[[rules]]\nwhen = "segment is known"', "rules[0] must have"),
        ("r.toml", 'otherwise = "tee"\nrules = []', "did you mean 'tea'"),
        ("m.zip", "no zip", "not a readable model file"),
        ("m.toml", 'model = "none.zip"', "No such file"),
    ],
)
def test_a_file_that_cannot_be_judged_says_why(
    store: Path, tmp_path: Path, name: str, text: str, told: str
) -> None:
    policy = edited(tmp_path, name, text)
    config = configured(tmp_path, store)
    result = segue("--config", config, "--placement", "home", "--policy", policy)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_network_of_other_features_is_refused(store: Path, tmp_path: Path) -> None:
    network = untrained(("recency_dayz",), ("tea",), np.random.default_rng(0))
    (tmp_path / "net.zip").write_bytes(network.to_bytes())
    config = configured(tmp_path, store)
    result = segue("--config", config, "--placement", "home", "--policy", tmp_path / "net.zip")
    assert result.exit_code == 2
    assert "'recency_dayz', which the log lacks: did you mean" in " ".join(result.stderr.split())


def test_a_search_that_cannot_tell_leaves_the_rest_standing(store: Path, tmp_path: Path) -> None:
    grid = edited(tmp_path, "grid.toml", 'kind = "softmax"\n')
    config = configured(tmp_path, store)
    home = ["--config", config, "--placement", "home", "--policy", "uniform"]
    result = segue(*home, "--search", grid)
    assert result.exit_code == 0, result.output
    assert "search: the log can tell of none of the 1 candidates" in " ".join(result.output.split())


def test_everything_is_on_one_page_and_in_one_json(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="writes parquet; the extra [parquet]")
    places = [{**COMMON, "name": "home", "policy": EVEN}]
    run(shop(tmp_path, places, budgets=[]), lambda engine: open_for(engine, 400, seed=4))
    config, data, page = tmp_path / "segue.toml", tmp_path / "e.json", tmp_path / "e.html"
    config.write_text(f'service.database = "{tmp_path / "s.db"}"\n')
    learner = edited(tmp_path, "mine.toml", 'kind = "epsilon_greedy"\nepsilon = 0.8\n')
    text = 'kind = ["softmax", "epsilon_greedy"]\nepsilon = [0.7, 0.9]\ntemperature = 9.0\n'
    grid = edited(tmp_path, "grid.toml", text)
    result = segue(
        "--config", config, "--placement", "home", "--policy", "uniform", "--policy", learner,
        "--baseline", "uniform", "--curves", "--search", grid, "--json", data, "--out", page,
        "--parquet", tmp_path / "e.parquet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    assert {"weights", "curves", "search", "results"} <= set(found)
    assert set(found["curves"]) == {"mine", "logged"}
    assert len(found["search"]["tried"]) == 3  # softmax has no epsilon
    assert found["n_rows"] - found["search"]["n_rows"]["taught"] in (0, 1)  # halves of the log
    text = page.read_text()
    for title in ("What each policy would have earned", "Lift by segment", "Weights", "Searched"):
        assert title in text
    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()
    best = next(row for row in found["results"] if row["label"] == "overall")["estimates"][0]
    assert rows[0]["value"] == best["value"]
    assert {row["label"] for row in rows} == {"overall", "segment", "day"}


def test_a_search_alone_judges_what_it_finds(tmp_path: Path) -> None:
    path, data = tmp_path / "log.csv", tmp_path / "e.json"
    rows = "".join(f"{'ab'[i % 2]},{i % 2},0.5,1.0\n" for i in range(2_000))
    path.write_text("action,reward,propensity,context.one\n" + rows)
    grid = edited(tmp_path, "grid.toml", 'kind = "epsilon_greedy"\nepsilon = [0.1, 0.9]\n')
    result = segue("--log", path, "--search", grid, "--json", data)
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "Of 2 configurations, 'epsilon_greedy epsilon=0.1' looked best on 500" in told
    assert "It is not clearly better." in told  # than always b
    assert json.loads(data.read_text())["search"]["is_better"] is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('kind = "linucbb"', "did you mean 'linucb'"),
        ('kind = "linucb"\nalhpa = 1', "none of its kinds has a parameter 'alhpa'"),
        ("alpha = 1", "none of its kinds"),
        (f'kind = "linucb"\nalpha = {[i / 100 for i in range(501)]}', "501 configurations"),
    ],
)
def test_a_grid_that_names_nothing_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        candidates_of(edited(tmp_path, "grid.toml", text))


def test_several_placements_are_told_apart(tmp_path: Path) -> None:
    places = [{**COMMON, "name": name, "policy": EVEN} for name in ("home", "cart")]
    run(shop(tmp_path, places), lambda engine: open_for(engine, 80, seed=3))
    config, data = tmp_path / "segue.toml", tmp_path / "e.json"
    config.write_text(f'service.database = "{tmp_path / "s.db"}"\n')
    arguments = ["--placement", "home", "--placement", "cart", "--policy", "uniform"]
    result = segue("--config", config, *arguments, "--json", data)
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())["placements"]
    assert list(found) == ["home", "cart"]
    assert found["home"]["n_rows"] > 40
    assert "cart: " in result.output
