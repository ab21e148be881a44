"""The check of propensities: silent on right ones, loud on wrong ones."""

import numpy as np
import pytest
from scipy.special import chdtrc

from policy.ope.propensity_check import PropensityCheck

N, K = 2_000, 6


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def drawn(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    below = probabilities.cumsum(axis=1) < rng.random((len(probabilities), 1))
    return np.minimum(below.sum(axis=1), probabilities.shape[1] - 1)


def add(check: PropensityCheck, probabilities: np.ndarray, shown: np.ndarray) -> None:
    n, n_actions = probabilities.shape
    groups = np.tile(np.arange(n_actions), n)
    check.add(np.full(n, n_actions), groups, probabilities.ravel(), shown)


def checked(probabilities: np.ndarray, shown: np.ndarray) -> PropensityCheck:
    check = PropensityCheck(probabilities.shape[1])
    add(check, probabilities, shown)
    return check


def test_right_probabilities_pass_as_often_as_they_should_whatever_the_contexts() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        probabilities = softmax(rng.normal(0, 1.5, (N // 4, K)))
        found.append(checked(probabilities, drawn(probabilities, rng)).agreement())
    by_counts = [chdtrc(one.degrees, one.chi_square) for one in found]
    shares = np.histogram(by_counts, np.linspace(0, 1, 6))[0] / 300
    assert np.abs(shares - 0.2).max() < 0.08  # 3.5 standard errors
    assert np.std([one.sharpness for one in found]) == pytest.approx(1.0, abs=0.15)
    p_values = np.array([one.p_value for one in found])
    assert np.mean(p_values < 0.1) < 0.1 + 3.5 * (0.1 * 0.9 / 300) ** 0.5
    assert p_values.min() > 1e-6


def test_the_mean_of_one_over_p_is_the_number_of_actions() -> None:
    rng = np.random.default_rng(2)
    probabilities = 0.3 / K + 0.7 * softmax(rng.normal(0, 2, (N, K)))
    agreement = checked(probabilities, drawn(probabilities, rng)).agreement()
    assert agreement.inverse_ratio == pytest.approx(1.0, abs=0.1)
    assert agreement.degrees == K - 1


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_draws_sharper_or_more_even_than_their_probabilities_are_found_where_counts_are_right(
    power: float,
) -> None:
    """Contexts that favour each action as often as any other."""
    rng = np.random.default_rng(6)
    scores = rng.normal(0, 1.5, (N, K))
    agreement = checked(softmax(scores), drawn(softmax(power * scores), rng)).agreement()
    assert agreement.p_value < 1e-12
    assert (agreement.sharpness > 0) == (power > 1)


def test_a_greedy_choice_logged_with_a_softmax_is_found() -> None:
    rng = np.random.default_rng(3)
    probabilities = softmax(rng.normal(0, 0.5, (N, K)) + np.linspace(0, 0.5, K))
    agreement = checked(probabilities, probabilities.argmax(axis=1)).agreement()
    assert agreement.p_value < 1e-12
    assert agreement.sharpness > 10


def test_a_floor_that_is_logged_and_never_shown_is_found() -> None:
    rng = np.random.default_rng(4)
    played = softmax(rng.normal(0, 2, (5 * N, K)) * [4, 4, 0, 0, 0, 0] - [0, 0, 30, 30, 30, 30])
    logged = 0.95 * played + 0.05 / K
    agreement = checked(logged, drawn(played, rng)).agreement()
    assert agreement.p_value < 1e-9


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(5)
    probabilities = softmax(rng.normal(0, 1, (N, K)))
    shown = drawn(probabilities, rng)
    whole, parts = checked(probabilities, shown).agreement(), PropensityCheck(K)
    for rows in np.array_split(np.arange(N), 7):
        add(parts, probabilities[rows], shown[rows])
    assert parts.agreement().chi_square == pytest.approx(whole.chi_square)
    assert parts.agreement().sharpness == pytest.approx(whole.sharpness)


def test_few_decisions_say_nothing() -> None:
    check = PropensityCheck(3)
    assert check.agreement().p_value == 1.0
    add(check, np.full((3, 3), 1 / 3), np.zeros(3, int))
    assert check.agreement().degrees == 0
