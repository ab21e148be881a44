"""Rows that cannot be used are named, refused, or counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.ope.log import Decisions
from policy.ope.sample import sample_of
from policy.ope.screen import Screen


def columns(**changed: Any) -> dict[str, Any]:
    fine: dict[str, Any] = {
        "actions": ("a", "b"),
        "action": np.array([0, 1, 1]),
        "reward": np.array([1.0, 0.0, 2.0]),
        "propensity": np.array([0.5, 0.5, 0.25]),
    }
    return fine | changed


BAD = [
    ({"propensity": np.array([0.5, 0.0, 0.5])}, r"row 1: propensity must be above 0.*0\.0"),
    ({"propensity": np.array([0.5, 0.5, 1.5])}, r"row 2: propensity must be.*1\.5"),
    ({"propensity": np.array([np.nan, 0.5, 0.5])}, "row 0: propensity must be.*nan"),
    ({"reward": np.array([1.0, np.nan, 0.0])}, "row 1: reward must be a finite number.*nan"),
    ({"action": np.array([0, 2, 1])}, "row 1: action must be one of the log's actions.*2"),
    (
        {"eligible": np.array([[1, 1], [1, 0], [1, 1]], np.bool_)},
        "row 1: action must be one of the row's eligible ones.*'b'",
    ),
    ({"logging": np.full((3, 2), 0.6)}, "row 0: logging probabilities must sum to 1"),
    ({"logging": np.full((3, 2), 0.5)}, "row 2: propensity must be the logging probability"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_a_bad_row_is_refused_by_name_with_a_remedy(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(LogError, match=f"{message}.*on_fault='exclude'"):
        Screen().decisions(**columns(**changed))


@pytest.mark.parametrize(("changed", "_message"), BAD)
def test_excluded_rows_are_counted_and_the_rest_is_kept(
    changed: dict[str, Any], _message: str
) -> None:
    screen = Screen("exclude")
    log = screen.decisions(**columns(**changed))
    assert 0 < sum(screen.excluded.values()) == 3 - log.n_rows
    assert screen.n_seen == 3


def test_chunks_know_their_place_among_the_kept_rows() -> None:
    screen = Screen("exclude")
    screen.decisions(**columns(reward=np.array([1.0, np.nan, 0.0])))
    assert screen.decisions(**columns()).first_row == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reward": np.ones(2)}, r"reward has shape \(2,\): must be \(3,\)"),
        ({"context": np.ones((2, 4))}, "context has shape"),
        ({"labels": {"day": np.ones(2)}}, "label 'day' has shape"),
        ({"actions": ("a", "a")}, "must be distinct"),
        ({"actions": ()}, "at least one"),
        ({"action": np.array([0.0, 1.0, 1.0])}, "integers"),
    ],
)
def test_shapes_are_checked_in_either_mode(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(LogError, match=message):
        Decisions(**columns(**changed))


def test_another_mode_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'refuse' or 'exclude'"):
        Screen("ignore")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.full((3, 3), 1 / 3), "target has shape"),
        (np.full((3, 2), 0.6), "row 0 .* must be probabilities that sum to 1"),
        (np.array([[0.5, 0.5], [1.5, -0.5], [0.5, 0.5]]), "row 1"),
        (np.array([[0.5, 0.5], [0.5, 0.5], [np.nan, 1.0]]), "row 2"),
        (np.full((3, 2), 0.5), "row 0 shows 'b' with probability 0.5: it was not eligible"),
    ],
)
def test_a_target_must_be_a_distribution_over_what_was_eligible(
    target: np.ndarray, message: str
) -> None:
    eligible = np.array([[1, 0], [1, 1], [1, 1]], np.bool_)
    with pytest.raises(EvaluationError, match=message):
        sample_of(Decisions(**columns(eligible=eligible)), target)
