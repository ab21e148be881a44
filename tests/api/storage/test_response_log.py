"""What actions earned in segments, on a log whose answer is known."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.configuration import parse_settings
from api.loop.engine import Engine
from api.storage.base import StoreError
from api.storage.response_log import read_responses
from tests.api.service import configuration

ACTIONS = ("tea", "salt")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty store, as a service leaves it."""
    service = {"database": str(tmp_path / "s.db")}
    settings = parse_settings(configuration(service=service))

    async def once() -> None:
        engine = Engine(settings)
        await engine.start()
        await engine.stop()

    asyncio.run(once())
    return tmp_path / "s.db"


def insert(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Rows of segment, action, probability, reward, and what else a decision has."""
    with closing(sqlite3.connect(path)) as connection:
        for number, (segment, action, probability, reward, *rest) in enumerate(rows):
            group, reason, list_id, density = (*rest, None, None, None, None)[:4]
            connection.execute(
                """INSERT INTO decisions (decision_id, visitor, placement, decided_at_us,
                       closes_at_us, policy_version, segment, action_id, chosen, probability,
                       candidates, probabilities, visitor_group, reason, list_id, density)
                   VALUES (?, 'v', 'home', ?, ?, 'p@0', ?, ?, 0, ?, '[]', x'', ?, ?, ?, ?)""",
                (
                    f"d{number}", number, number, segment, action, probability, group, reason,
                    list_id, density,
                ),
            )  # fmt: skip
            if reward:
                connection.execute(
                    """INSERT INTO rewards (reward_id, decision_id, value, is_first, source,
                           received_at_us) VALUES (?, ?, ?, 1, 'explicit', 0)""",
                    (f"r{number}", f"d{number}", reward),
                )
        connection.commit()


def test_showing_an_action_to_those_who_like_it_does_not_flatter_it(store: Path) -> None:
    """Half of the visitors of s1 like tea, and are shown it 9 times of 10, the others 1 of 10."""
    rng = np.random.default_rng(0)
    rows: list[tuple[object, ...]] = []
    for _ in range(6_000):
        likes = rng.random() < 0.5
        p_tea = 0.9 if likes else 0.1
        action = "tea" if rng.random() < p_tea else "salt"
        rate = (0.8 if likes else 0.2) if action == "tea" else 0.4
        earned = float(rng.random() < rate)
        rows.append(("s1", action, p_tea if action == "tea" else 1.0 - p_tea, earned))
    insert(store, rows)
    found = {one.action: one for one in read_responses(store, "home")}
    plain = np.mean([row[3] for row in rows if row[1] == "tea"])
    assert plain > 0.7
    assert found["tea"].reward == pytest.approx(0.5, abs=4 * found["tea"].error)
    assert found["salt"].reward == pytest.approx(0.4, abs=4 * found["salt"].error)
    assert 0.005 < found["tea"].error < 0.03


def test_segments_are_apart_and_the_best_action_comes_first(store: Path) -> None:
    rows = [(None, "tea", 0.5, 0.0), ("s1", "tea", 0.5, 1.0), ("s1", "salt", 0.5, 3.0)]
    insert(store, [*rows, ("s2", "tea", 1.0, 2.0)] * 40)
    found = [(one.segment, one.action, one.reward) for one in read_responses(store, "home")]
    assert found == [
        (None, "tea", 0.0),
        ("s1", "salt", 3.0),
        ("s1", "tea", 1.0),
        ("s2", "tea", 2.0),
    ]


def test_one_unlikely_showing_does_not_make_an_action_the_best(store: Path) -> None:
    """All of 200 decisions show tea, but for one that was very unlikely, and earned."""
    usual = [("s1", "tea", 0.999, float(number % 2)) for number in range(200)]
    insert(store, [*usual, ("s1", "salt", 0.001, 1.0), ("s1", "salt", 0.9, 0.0)])
    tea, salt = read_responses(store, "home")
    assert tea.is_told
    assert not salt.is_told
    assert salt.n_effective == pytest.approx(1.0, abs=0.01)


def test_an_action_that_a_policy_kept_from_most_of_a_segment_is_not_told_of(store: Path) -> None:
    """Salt is shown to a tenth of s1, always: of the others nothing is known."""
    rows = [("s1", "salt" if number % 10 == 0 else "tea", 1.0, 1.0) for number in range(1_000)]
    insert(store, rows)
    tea, salt = read_responses(store, "home")
    assert (tea.is_told, salt.is_told) == (True, False)
    assert salt.reach == pytest.approx(0.1)


def test_decisions_whose_probability_says_nothing_are_left_out(store: Path) -> None:
    left_out = [
        ("s1", "salt", 1.0, 9.0, "control"),
        ("s1", "salt", 1.0, 9.0, None, "deadline"),
        ("s1", "salt", 1.0, 9.0, None, None, "list"),
        ("s1", "salt", 1.0, 9.0, None, None, None, 0.1),
    ]
    insert(store, [*left_out, ("s1", "tea", 1.0, 2.0, "treatment")])
    (only,) = read_responses(store, "home")
    assert (only.action, only.n_decisions) == ("tea", 1)
    assert only.error == np.inf


def test_the_command_shows_the_best_of_each_segment(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.segments.command.console.width", 200)
    insert(store, [("s1", f"a{i}", 0.2, float(i)) for i in range(5)] * 40)
    command = ["segments", "response", "--source", str(store), "--placement", "home", "--top", "2"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    assert "a4" in result.stdout
    assert "a3" in result.stdout
    assert "a2" not in result.stdout


def test_a_placement_without_decisions_is_refused(store: Path) -> None:
    with pytest.raises(StoreError, match="no decision of placement 'cart'"):
        read_responses(store, "cart")
