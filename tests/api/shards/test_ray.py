"""The main work cut into shards: the same bits in this process, in a pool, and on a real Ray."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api.shards.base import MapShards, ShardError
from api.shards.local import Local
from api.shards.ray import Ray
from policy.errors import LogError
from policy.ope.evaluate import Evaluation, Question, evaluate
from policy.ope.formats.parquet import parquet_shards, write_parquet
from policy.ope.formats.table import Columns
from policy.ope.log import Decisions
from policy.ope.slices import rows_from
from policy.ope.targets import Constant, Uniform
from segments.batch import matrix
from simulator.experiment.run import Cell, Plan, compute, run
from tests.segments.test_batch import NOW, crowd

ROWS = 500


@pytest.fixture(scope="module", params=["pool", "ray"])
def backend(request: pytest.FixtureRequest) -> Iterator[MapShards]:
    if request.param == "ray":
        pytest.importorskip("ray", reason="works on Ray; the extra [ray]")
    with Local(2) if request.param == "pool" else Ray(processes=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven row groups, of which rows differ by twelve orders of magnitude."""
    pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    write_parquet(path, [part(rng, number) for number in range(7)])
    return path


def part(rng: np.random.Generator, number: int) -> Decisions:
    reward = rng.normal(size=ROWS) * 10.0 ** rng.integers(-6, 6, ROWS)
    propensity = rng.uniform(0.1, 1.0, ROWS)
    context = rng.normal(size=(ROWS, 3))
    action = rng.integers(0, 2, ROWS)
    return Decisions(("a", "b"), action, reward, propensity, context, first_row=number * ROWS)


def numbers(found: Evaluation) -> list[tuple[float, ...]]:
    return [
        (one.value, one.error, one.interval.low, one.interval.high)
        for result in found.results
        for one in result.estimates
    ]


@pytest.mark.parametrize("start", [0, 1_234])
def test_an_evaluation_is_the_same_bits(backend: MapShards, log: Path, start: int) -> None:
    question = Question({"uniform": Uniform(), "b": Constant("b")}, baseline="b")
    shards = rows_from(parquet_shards(log, Columns()), start)
    whole = evaluate(lambda: shards, question)
    assert whole.n_rows == 7 * ROWS - start
    assert numbers(evaluate(lambda: shards, question, backend)) == numbers(whole)


def test_an_experiment_is_the_same_bits(backend: MapShards, tmp_path: Path) -> None:
    plan = Plan(("nothing", "random"), ("steady",), (0, 1), 20, 10)
    one, many = run(plan, tmp_path / "one"), run(plan, tmp_path / "many", map_cells=backend)
    for cell, lives in one.items():
        for name in ("returns_cents", "daily_cents", "action_counts"):
            assert getattr(lives, name).tobytes() == getattr(many[cell], name).tobytes()


def test_features_of_everybody_are_the_same_bits(
    backend: MapShards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segments.batch.CHUNK", 64)
    monkeypatch.setattr("segments.batch.WORTH_A_POOL", 0)
    pipeline = crowd()
    visitors, vectors = pipeline.matrix(NOW)
    found, rows = matrix(pipeline, NOW, backend)
    assert found == visitors
    assert rows.tobytes() == vectors.tobytes()


def test_results_keep_their_order_and_few_are_under_way(backend: MapShards) -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for i in range(40):
            taken.append(i)
            yield i

    results = iter(backend(abs, source()))
    assert next(results) == 0
    assert len(taken) <= 5
    assert list(results) == list(range(1, 40))


def test_a_row_that_cannot_be_used_is_told_as_at_home(
    backend: MapShards, tmp_path: Path, log: Path
) -> None:
    pa = pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    from pyarrow import parquet

    table = parquet.read_table(log)
    rewards = table["reward"].to_numpy().copy()
    rewards[1_700] = np.nan
    table = table.set_column(table.schema.get_field_index("reward"), "reward", pa.array(rewards))
    parquet.write_table(table, tmp_path / "bad.parquet", row_group_size=ROWS)
    shards = parquet_shards(tmp_path / "bad.parquet", Columns())
    with pytest.raises(LogError, match="row 1700: reward must be") as caught:
        evaluate(lambda: shards, Question({"uniform": Uniform()}), backend)
    assert "in shard 3: ParquetShard" in caught.value.__notes__[0]


def test_an_error_that_cannot_travel_is_told_in_words(backend: MapShards) -> None:
    with pytest.raises(ShardError, match="WorldError: scenario is 'nowhere'"):
        list(backend(compute, [Cell("nothing", "nowhere", 0, 2)]))


def test_a_process_that_ends_is_told_with_its_shard(backend: MapShards) -> None:
    with pytest.raises(ShardError, match=r"shard 0 \(9\): the process .*fewer processes"):
        list(backend(os._exit, [9]))


def test_without_ray_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ShardError, match=r"Ray is not installed: pip install 'segue\[ray\]'"):
        Ray().__enter__()
