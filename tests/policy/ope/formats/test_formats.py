"""Every format gives back the log that was written, and names what it cannot read."""

from __future__ import annotations

import builtins
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.ope.evaluate import Question, evaluate
from policy.ope.formats.csv_log import read_csv, write_csv
from policy.ope.formats.dsjson import DsjsonReader, write_dsjson
from policy.ope.formats.obp import (
    at_position,
    from_bandit_feedback,
    read_npz,
    to_bandit_feedback,
    write_npz,
)
from policy.ope.formats.parquet import parquet_shards, read_parquet, write_parquet
from policy.ope.formats.table import Coded, Columns, standard_columns
from policy.ope.log import Decisions
from policy.ope.screen import Screen
from policy.ope.targets import Column
from tests.policy.ope.logs import rows_of, world

if TYPE_CHECKING:
    from pathlib import Path


def full_log(n: int = 50) -> Decisions:
    made = world(n, 1)
    eligible = np.ones((n, 4), np.bool_)
    return Decisions(
        made.log.actions,
        made.log.action,
        made.log.reward,
        made.log.propensity,
        made.log.context,
        eligible,
        made.log.logging,
        cluster=np.arange(n) // 3,
        labels={"segment": np.array(["x", 'y,"z"'])[np.arange(n) % 2]},
        position=np.zeros(n, np.int64),
        targets={"new": made.target},
    )


def same(ours: Decisions, theirs: Decisions, *names: str) -> None:
    for name in ("action", "reward", "propensity", "context", *names):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert (a is None) == (b is None), name
        assert a is None or (a == b).all(), name
    assert ours.actions == theirs.actions
    assert ours.first_row == theirs.first_row


def joined(chunks: list[Decisions], n: int) -> list[Decisions]:
    assert sum(chunk.n_rows for chunk in chunks) == n
    return chunks


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_give_back_every_bit(kind: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    log, path = full_log(), tmp_path / f"log.{kind}"
    chunks = [rows_of(log, 0, 20), rows_of(log, 20, 50)]
    write, read = (write_csv, read_csv) if kind == "csv" else (write_parquet, read_parquet)
    write(path, chunks)
    found = joined(list(read(path, standard_columns(log), Screen(), log.actions, 20)), 50)
    assert [chunk.n_rows for chunk in found] == [20, 20, 10]
    for chunk in found:
        wanted = rows_of(log, chunk.first_row, chunk.first_row + chunk.n_rows)
        same(chunk, wanted, "eligible", "logging", "cluster", "position")
        assert (chunk.labels["segment"] == wanted.labels["segment"]).all()
        assert (chunk.targets["new"] == wanted.targets["new"]).all()


def test_own_column_names_and_actions_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("arm,clicks,p,user,age\nb,1,0.5,ann,30\na,0,0.25,bob,40\nb,,0.5,ann,30\n")
    columns = Columns("arm", "clicks", "p", cluster="user", context=("age",))
    screen = Screen("exclude")
    (log,) = read_csv(path, columns, screen)
    assert log.actions == ("a", "b")
    assert log.context.tolist() == [[30.0], [40.0]]
    assert len(set(log.cluster.tolist())) == 2
    assert screen.excluded == {"reward must be a finite number": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("action,reward\na,1\n", "no column 'propensity'"),
        ("action,reward,propensty\na,1,1\n", "did you mean 'propensty'"),
        ("action,reward,propensity\na,1\n", "2 fields: must have 3"),
        ("action,reward,propensity\na,yes,1\n", "column 'reward' must hold numbers.*'yes'"),
        ("action,reward,propensity,logging.b\na,1,1,1\n", "no column 'logging.a'"),
    ],
)
def test_what_is_wrong_with_a_csv_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(LogError, match=message):
        list(read_csv(path, Columns(), Screen()))
    with pytest.raises(LogError, match="cannot be read as CSV"):
        list(read_csv(tmp_path / "none.csv", Columns(), Screen()))


def test_without_pyarrow_the_error_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EvaluationError, match=r"pip install 'segue\[parquet\]'"):
        list(read_parquet(tmp_path / "log.parquet", Columns(), Screen()))


def test_shards_are_the_rows_of_the_file_wherever_they_are_read(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    log, path = full_log(100), tmp_path / "log.parquet"
    write_parquet(path, [rows_of(log, 0, 30), rows_of(log, 30, 100)])
    columns = standard_columns(log)
    shards = parquet_shards(path, columns)
    assert [shard.first_row for shard in shards] == [0, 30]
    for shard in shards:
        (read,) = pickle.loads(pickle.dumps(shard)).chunks()  # as a pool sends it
        same(read, rows_of(log, shard.first_row, shard.first_row + read.n_rows), "cluster")
    question = Question({"new": Column("new")}, rewards=(0.0, 1.0))
    whole = evaluate(lambda: [log], question).of("new")
    sharded = evaluate(lambda: shards, question).of("new")
    assert sharded.best.value == pytest.approx(whole.best.value, rel=1e-12)
    assert sharded.always == whole.always


@pytest.mark.parametrize("actions", [["a", None, "b"], [1, 2, 1], ["", "a", "a"]])
def test_actions_are_coded_whatever_they_are(actions: list[Any], tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    import pyarrow.parquet as pq

    path = tmp_path / "log.parquet"
    table = pyarrow.table({"action": actions, "reward": [1.0, 0.0, 1.0], "propensity": [0.5] * 3})
    pq.write_table(table, path)
    screen = Screen("exclude")
    (log,) = read_parquet(path, Columns(), screen)
    known = [str(action) for action in actions if action is not None]
    assert [log.actions[place] for place in log.action] == known
    assert sum(screen.excluded.values()) == actions.count(None)


def test_a_column_that_is_not_coded_gets_codes() -> None:
    column = np.array(["b", "a", "b", "z"], dtype=object)
    assert Coded.of(column).places(("a", "b")).tolist() == [1, 0, 1, -1]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "log.parquet"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(LogError, match="cannot be read as parquet"):
        list(read_parquet(path, Columns(), Screen()))


def test_obps_dictionary_and_file_give_back_every_bit(tmp_path: Path) -> None:
    made = world(40, 2)
    log = Decisions(
        tuple("0123"),
        made.log.action,
        made.log.reward,
        made.log.propensity,
        made.log.context,
        logging=made.log.logging,
        features=np.broadcast_to(np.arange(8.0).reshape(4, 2), (40, 4, 2)),
    )
    same(from_bandit_feedback(to_bandit_feedback(log)), log, "logging", "features")
    write_npz(tmp_path / "log.npz", log)
    same(read_npz(tmp_path / "log.npz"), log, "logging", "features")


def test_obps_positions_pick_the_distribution() -> None:
    pi_b = np.stack((np.full((3, 2), 0.5), np.tile([0.2, 0.8], (3, 1))), axis=2)
    feedback = {
        "n_actions": 2,
        "action": np.array([1, 1, 0]),
        "reward": np.ones(3),
        "pscore": np.array([0.5, 0.8, 0.2]),
        "position": np.array([0, 1, 1]),
        "pi_b": pi_b,
    }
    log = from_bandit_feedback(feedback)
    assert log.logging is not None
    assert log.logging.tolist() == [[0.5, 0.5], [0.2, 0.8], [0.2, 0.8]]
    same(from_bandit_feedback(to_bandit_feedback(log) | {"n_actions": 2}), log, "position")
    with pytest.raises(LogError, match="for 2 positions: must come with the position"):
        at_position(pi_b, None)


def test_obps_files_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", action=np.array([object()]))
    with pytest.raises(LogError, match="of plain arrays"):
        read_npz(tmp_path / "bad.npz")
    with pytest.raises(LogError, match="lacks 'pscore'"):
        from_bandit_feedback({"n_actions": 1, "action": [0], "reward": [1], "p_score": [1]})


def test_dsjson_gives_back_every_bit(tmp_path: Path) -> None:
    log, path = full_log(), tmp_path / "log.json"
    log = Decisions(
        tuple("1234"),
        log.action,
        log.reward,
        log.propensity,
        log.context,
        log.eligible,
        log.logging,
    )
    write_dsjson(path, [log])
    reader = DsjsonReader(path, Screen(), tuple(f"shared.{i}" for i in range(3)), chunk_rows=30)
    found = joined(list(reader.chunks()), 50)
    for chunk in found:
        wanted = rows_of(log, chunk.first_row, chunk.first_row + chunk.n_rows)
        same(chunk, wanted, "eligible", "logging")


LINE = {
    "_label_cost": -1,
    "_label_probability": 0.8,
    "_label_Action": 2,
    "_labelIndex": 1,
    "a": [2, 1],
    "p": [0.8, 0.2],
    "c": {"shared": {"age": 3}, "_multi": [{}, {}]},
}


def test_dsjson_with_actions_that_come_and_go_and_lines_that_are_no_decisions(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.json"
    three = LINE | {"a": [2, 3, 1], "p": [0.8, 0.1, 0.1], "c": {"_multi": [{}, {}, {}]}}
    lines = [LINE, {"RewardValue": 1.0, "EventId": "x"}, three]
    path.write_text("\n".join(map(json.dumps, lines)))
    reader = DsjsonReader(path, Screen(), ("shared.age",))
    (log,) = reader.chunks()
    assert log.eligible is not None
    assert log.logging is not None
    assert log.eligible.tolist() == [[True, True, False], [True, True, True]]
    assert log.logging.tolist() == [[0.2, 0.8, 0.0], [0.1, 0.8, 0.1]]
    assert log.reward.tolist() == [1.0, 1.0]
    assert log.context.tolist() == [[3.0], [0.0]]
    assert reader.n_skipped == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: no JSON"),
        (json.dumps({**LINE, "a": [0, 1]}), "a is .* must be the numbers 1 to 2"),
        (json.dumps({**LINE, "p": [1.0]}), "p is .* must be 2 probabilities"),
        (json.dumps({k: v for k, v in LINE.items() if k != "c"}), "lacks 'c'"),
    ],
)
def test_what_is_wrong_with_a_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(line)
    with pytest.raises(LogError, match=message):
        list(DsjsonReader(path, Screen()).chunks())
