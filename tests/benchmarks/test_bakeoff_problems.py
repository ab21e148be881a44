"""Classification sets become bandit problems."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bakeoff.problems import DataError, Problem, data_folder, load_problem, set_names

pa = pytest.importorskip("pyarrow", reason="pip install 'segue[peers]'")
pq = pytest.importorskip("pyarrow.parquet")


def write_set(folder: Path, name: str, columns: dict[str, list[object]]) -> Path:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    index = folder / "index.json"
    known = json.loads(index.read_text()) if index.exists() else {}
    index.write_text(json.dumps(known | {name: {"rows": len(next(iter(columns.values())))}}))
    return folder


def problem(n_rows: int) -> Problem:
    rows = np.arange(n_rows)
    return Problem("numbers", rows[:, None].astype(float), rows % 2, 2)


def test_text_becomes_one_column_a_value_and_numbers_become_z_scores(tmp_path: Path) -> None:
    write_set(
        tmp_path,
        "mixed",
        {"n": [1, 3, 1, 3], "t": ["b", "a", "b", "c"], "flat": [7, 7, 7, 7], "y": [5, 9, 5, 9]},
    )
    loaded = load_problem(tmp_path, "mixed")
    assert loaded.contexts.tolist() == [
        [-1.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 0.0, 0.0, 0.0],
        [-1.0, 0.0, 1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 1.0, 0.0],
    ]
    assert (loaded.classes.tolist(), loaded.n_actions) == ([0, 1, 0, 1], 2)


def test_numbers_can_be_scaled_to_their_range_instead(tmp_path: Path) -> None:
    write_set(tmp_path, "range", {"n": [-2.0, 0.0, 6.0], "y": ["u", "v", "u"]})
    assert load_problem(tmp_path, "range", "range").contexts[:, 0].tolist() == [0.0, 0.25, 1.0]


def test_a_label_is_never_part_of_a_context(tmp_path: Path) -> None:
    """Other classes for the same columns give the same contexts."""
    for name, label in (("one", ["u", "v", "u"]), ("other", ["v", "v", "u"])):
        write_set(tmp_path, name, {"n": [1.0, 2.0, 4.0], "t": ["a", "b", "a"], "y": label})
    first, second = load_problem(tmp_path, "one"), load_problem(tmp_path, "other")
    assert np.array_equal(first.contexts, second.contexts)
    assert not np.array_equal(first.classes, second.classes)


def test_a_pass_is_every_row_once_in_an_order_that_the_seed_repeats() -> None:
    shuffled = problem(50).shuffled(3, None)
    assert sorted(shuffled.contexts[:, 0]) == list(range(50))
    assert np.array_equal(shuffled.classes, shuffled.contexts[:, 0] % 2)
    assert np.array_equal(shuffled.contexts, problem(50).shuffled(3, None).contexts)
    assert not np.array_equal(shuffled.contexts, problem(50).shuffled(4, None).contexts)


@pytest.mark.parametrize("n_rounds", [7, 20, 47])
def test_other_numbers_of_rounds_are_whole_shuffles_one_after_another(n_rounds: int) -> None:
    rows = problem(20).shuffled(0, n_rounds).contexts[:, 0]
    assert len(rows) == n_rounds
    counts = np.bincount(rows.astype(int), minlength=20)
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(rows[:20], problem(20).shuffled(0, None).contexts[: len(rows[:20]), 0])


@pytest.mark.parametrize("hole", [float("nan"), float("inf"), None])
def test_a_hole_in_a_column_is_refused_by_name(tmp_path: Path, hole: float | None) -> None:
    write_set(tmp_path, "holes", {"age": [1.0, hole], "y": ["u", "v"]})
    with pytest.raises(DataError, match="holes: column 'age' has a missing or infinite number"):
        load_problem(tmp_path, "holes")


def test_a_set_of_one_class_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path, "flat", {"n": [1.0, 2.0], "y": ["u", "u"]})
    with pytest.raises(DataError, match="two are needed"):
        load_problem(tmp_path, "flat")


def test_a_folder_without_an_index_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no index\.json: name a folder of sets with --data"):
        data_folder(tmp_path)


def test_the_folder_comes_from_the_option_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = tmp_path / "bakeoff"
    sets.mkdir()
    write_set(sets, "a", {"n": [1.0, 2.0], "y": ["u", "v"]})
    monkeypatch.setenv("SEGUE_DATA", str(tmp_path))
    assert data_folder(None) == sets
    assert data_folder(sets) == sets
    assert set_names(sets) == ("a",)


def test_an_index_that_lists_a_set_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"ghost": {}}')
    with pytest.raises(DataError, match=r"ghost\.parquet is not there"):
        set_names(tmp_path)
