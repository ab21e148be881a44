"""The bake-off from the command line to the table, on a small separable set."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bakeoff.__main__ import main, parse_plan
from benchmarks.bakeoff.kept import KeptPasses
from benchmarks.bakeoff.learner import Setting
from benchmarks.bakeoff.one_pass import Task, run_pass
from benchmarks.bakeoff.ours import DEFAULT
from benchmarks.bakeoff.scores import Scores
from benchmarks.bakeoff.settings import SETTINGS, chosen
from benchmarks.bakeoff.tables import settings_table
from benchmarks.report import markdown
from policy.bandits.build import POLICY_KINDS

pa = pytest.importorskip("pyarrow", reason="pip install 'segue[peers]'")
pq = pytest.importorskip("pyarrow.parquet")

FAST = [setting for setting in SETTINGS if not setting.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes in the plane, far apart, and a word that says nothing."""
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    classes = rng.integers(3, size=240)
    centres = np.array([[3.0, 0.0], [-3.0, 2.0], [0.0, -3.0]])
    points = centres[classes] + 0.5 * rng.normal(size=(240, 2))
    table = {
        "x": points[:, 0],
        "y": points[:, 1],
        "word": rng.choice(["u", "v"], 240),
        "label": classes,
    }
    pq.write_table(pa.table(table), folder / "blobs.parquet")
    (folder / "index.json").write_text('{"blobs": {"rows": 240}}')
    return folder


def task(folder: Path, setting: Setting, *, seed: int = 0, n_rounds: int | None = None) -> Task:
    return Task(folder, "blobs", "standard", seed, n_rounds, setting)


def test_every_policy_kind_takes_part() -> None:
    assert [s.name for s in SETTINGS if s.family == "ours"] == [f"ours-{k}" for k in POLICY_KINDS]


def test_names_are_unique() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_learner_learns_an_easy_set(folder: Path, setting: Setting) -> None:
    """Random choices earn a third, as a wrong adapter would; a greedy learner that never tries one
    of the actions ends at two thirds.
    """
    if not setting.is_installed:
        pytest.skip(f"{setting.package} is not installed (pip install 'segue[peers]')")
    done = run_pass(task(folder, setting, n_rounds=120 if setting.slow else None))
    assert done.rewards[-60:].mean() > 0.6


@pytest.mark.parametrize("setting", FAST, ids=lambda setting: setting.name)
def test_the_same_seed_repeats_every_reward(folder: Path, setting: Setting) -> None:
    if not setting.is_installed:
        pytest.skip(f"{setting.package} is not installed (pip install 'segue[peers]')")
    first, second = (run_pass(task(folder, setting)) for _ in range(2))
    assert np.array_equal(first.rewards, second.rewards)


def test_our_learner_hands_over_the_probability_of_its_draw(folder: Path) -> None:
    """With a floor, every action of ours keeps a positive probability, and none has all of it."""
    (setting,) = chosen([DEFAULT])
    learner = setting.make(2, 3, 0)
    for context in learner.prepare(np.random.default_rng(0).normal(size=(50, 2))):
        choice = learner.choose(context)
        assert 0.0 < choice.propensity < 1.0
        learner.learn(context, choice, 1.0)


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(folder: Path) -> None:
    absent = Setting("absent-1", "Absent", partial(int), package="no_such_package_at_all")
    (ours,) = chosen([DEFAULT])
    scores = Scores([run_pass(task(folder, ours))])
    rows = markdown(settings_table(scores, [ours, absent])).splitlines()
    assert (
        "Absent: no_such_package_at_all is not installed (pip install 'segue[peers]')" in rows[-1]
    )
    assert DEFAULT in rows[-2]


def test_a_kept_pass_comes_back_and_another_does_not(folder: Path, tmp_path: Path) -> None:
    kept = KeptPasses(tmp_path / "kept")
    (ridge,) = chosen(["numpy"])
    done = run_pass(task(folder, ridge))
    kept.keep(task(folder, ridge), done)
    found = kept.find(task(folder, ridge))
    assert found is not None
    assert (found.setting, found.set_name, found.seed) == (ridge.name, "blobs", 0)
    assert np.array_equal(found.rewards, done.rewards)
    assert np.array_equal(found.round_ns, done.round_ns)
    assert kept.find(task(folder, ridge, seed=1)) is None


def test_the_command_prints_the_tables_and_resumes_from_kept_passes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(folder), "--json", str(tmp_path / "out.json"), "--quick"]
    arguments += ["--learners", f"{DEFAULT},numpy", "--workers", "1", "--keep", str(tmp_path)]
    main(arguments)
    printed = capsys.readouterr().out
    for part in ("± standard error", "each peer's best setting", "| claim", "numpy-ridge-ucb-0.3"):
        assert part in printed
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["subject"] == "bakeoff"
    assert set(written["settings"]) == {DEFAULT, "numpy-ridge-ucb-0.3"}
    assert written["settings"][DEFAULT]["sets"]["blobs"]["n_rounds"] == 200
    main(arguments)
    again = json.loads((tmp_path / "out.json").read_text())
    # Times to the digit: nothing was run a second time.
    assert again["settings"] == written["settings"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sets", "nope"], "has no set 'nope': it has blobs"),
        (["--learners", "nope"], "no learner fits 'nope': families are"),
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--slow-seeds", "-1"], "--slow-seeds must be at least 1, got -1"),
    ],
)
def test_a_wrong_option_ends_with_a_message(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        parse_plan(["--data", str(folder), *arguments])
    assert message in capsys.readouterr().err


def test_absent_data_ends_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_plan(["--data", str(tmp_path / "nowhere")])
    assert "has no index.json: name a folder of sets with --data" in capsys.readouterr().err


def test_slow_learners_run_fewer_seeds(folder: Path) -> None:
    plan, _ = parse_plan(["--data", str(folder), "--seeds", "4", "--slow-seeds", "2"])
    seeds: dict[bool, set[int]] = {True: set(), False: set()}
    for one in plan.tasks():
        seeds[one.setting.slow].add(one.seed)
    assert seeds[False] == {0, 1, 2, 3}
    assert seeds[True] <= {0, 1}
