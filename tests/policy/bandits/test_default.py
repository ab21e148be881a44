"""The default policy: bends where the world does, forgets when it changes, needs no units."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.default import WARM_UP, Default
from policy.base import Batch, Candidates, draw
from policy.errors import ParameterError, StateError, UnsupportedError

IDS = ("a", "b", "c")
CANDIDATES = Candidates(IDS, np.zeros((3, 0)))


def row(x: np.ndarray, action_id: str, reward: float) -> Batch:
    one = np.array([reward])
    return Batch(x[None], np.zeros((1, 0)), (action_id,), one, np.ones(1, np.bool_))


def shares(policy: Default, seed: int, best: list[np.ndarray], scale: float = 1.0) -> np.ndarray:
    """The share of the optimum that each round's distribution earns; best[t] of context t."""
    rng = np.random.default_rng(seed)
    found = []
    for x, action in best:
        probabilities = policy.distribution(x, CANDIDATES, rng)
        found.append(probabilities[action])
        chosen = draw(probabilities, rng.random())
        rate = 0.9 if chosen == action else 0.1
        policy.update(row(x, IDS[chosen], scale * float(rng.random() < rate)))
    return np.array(found)


def ring(seed: int, n: int) -> list[tuple[np.ndarray, int]]:
    """Which action is best depends on how far out the visitor is: no line separates them."""
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    radius = np.square(contexts[:, 1:]).sum(axis=1)
    return list(zip(contexts, np.digitize(radius, [0.7, 2.2]), strict=True))


def lines(seed: int, n: int) -> list[tuple[np.ndarray, int]]:
    """A world in which linear scores are right."""
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    weights = np.array([[0.0, 1.0, 0.0], [0.0, -0.5, 0.9], [0.0, -0.5, -0.9]])
    return list(zip(contexts, (contexts @ weights.T).argmax(axis=1), strict=True))


def test_it_gains_where_the_world_is_not_linear() -> None:
    bent = shares(Default(3, 0), 0, ring(0, 1_500))[-500:].mean()
    straight = shares(Default(3, 0, n_random_features=0), 0, ring(0, 1_500))[-500:].mean()
    assert bent > straight + 0.2
    assert bent > 0.8


def test_it_loses_next_to_nothing_where_the_world_is_linear() -> None:
    worlds = [lines(seed, 1_000) for seed in range(3)]
    bent = np.mean([shares(Default(3, 0), 1, world) for world in worlds])
    straight = np.mean([shares(Default(3, 0, n_random_features=0), 1, world) for world in worlds])
    assert bent > straight - 0.02


@pytest.mark.parametrize("scale", [1e-4, 1e5])
def test_the_unit_of_rewards_does_not_matter(scale: float) -> None:
    in_units = shares(Default(3, 0), 2, ring(2, 400))
    scaled = shares(Default(3, 0), 2, ring(2, 400), scale)
    np.testing.assert_allclose(scaled.mean(), in_units.mean(), atol=0.02)


def rounds_to_90(found: np.ndarray, window: int = 50) -> int:
    mean = np.convolve(found, np.full(window, 1.0 / window), "valid")
    return int(np.flatnonzero(mean > 0.9)[0]) + window


@pytest.mark.parametrize("n_before", [600, 2_000])
def test_it_finds_the_new_optimum_after_a_swap_nearly_as_soon_as_one_that_knows_nothing(
    n_before: int,
) -> None:
    """Kinds of visitor whose best actions change places: within three times a fresh learner's."""
    fresh, swapped = [], []
    for seed in range(3):
        kinds = np.random.default_rng(seed).integers(3, size=n_before + 1_000)
        contexts = np.column_stack([np.ones(len(kinds)), np.eye(3)[kinds]])
        best = np.where(np.arange(len(kinds)) < n_before, kinds, (kinds + 1) % 3)
        world = list(zip(contexts, best, strict=True))
        policy = Default(4, 0)
        found = shares(policy, seed, world)
        fresh.append(rounds_to_90(found[:n_before]))
        swapped.append(rounds_to_90(found[n_before:]))
        assert policy.n_changes >= 1
    assert np.mean(swapped) < 3.0 * np.mean(fresh)


def test_a_world_that_stays_is_not_taken_for_a_change() -> None:
    policy = Default(3, 0)
    shares(policy, 3, ring(3, 3_000))
    assert policy.n_changes == 0


def test_after_a_change_rows_cannot_be_taken_out() -> None:
    policy, world = Default(3, 0), lines(4, 900)
    swapped = [(x, action if t < 450 else (action + 1) % 3) for t, (x, action) in enumerate(world)]
    shares(policy, 4, swapped)
    with pytest.raises(UnsupportedError, match="noticed a change"):
        policy.remove(row(world[0][0], "a", 1.0))
    with pytest.raises(UnsupportedError, match="noticed a change"):
        policy.merge(*policy.state())


def learned(n: int, seed: int = 0) -> Default:
    policy = Default(3, 0)
    shares(policy, seed, lines(seed, n))
    return policy


def test_replicas_with_maps_of_their_own_cannot_be_merged() -> None:
    policy = learned(60)
    other = Default(3, 0)
    for x, _ in lines(5, 60):
        other.update(row(x * [1.0, 100.0, 0.01], "a", 1.0))
    with pytest.raises(UnsupportedError, match="maps from different first contexts"):
        policy.merge(*other.state())


def test_a_replica_that_is_still_warming_up_is_learned_from_row_by_row() -> None:
    mine, others = learned(60), learned(WARM_UP // 2, seed=6)
    merged = Default(3, 0)
    merged.load_state(*others.state())
    merged.merge(*mine.state())
    assert merged.n_updates == 60 + WARM_UP // 2
    mine.merge(*others.state())
    x = lines(7, 1)[0][0]
    np.testing.assert_allclose(
        merged.expected_rewards(x, CANDIDATES), mine.expected_rewards(x, CANDIDATES), atol=1e-8
    )


@pytest.mark.parametrize("n", [10, 300])
@pytest.mark.parametrize(
    ("field", "value"), [("n_changes", -1), ("change", [1]), ("warm_up", "a"), ("warm_up", ["a"])]
)
def test_a_damaged_state_changes_nothing(n: int, field: str, value: object) -> None:
    policy = learned(n)
    manifest, arrays = policy.state()
    before = policy.expected_rewards(np.ones(3), CANDIDATES).tobytes()
    with pytest.raises(StateError, match=field):
        policy.load_state(manifest | {field: value}, arrays)
    assert policy.expected_rewards(np.ones(3), CANDIDATES).tobytes() == before


@pytest.mark.parametrize("n", [-2, 7, 4_098, 12.0])
def test_impossible_numbers_of_features_are_refused(n: int) -> None:
    with pytest.raises(ParameterError, match="n_random_features"):
        Default(3, 0, n_random_features=n)


def test_an_explanation_adds_up_with_its_bent_part() -> None:
    policy, x = learned(300), lines(8, 1)[0][0]
    explanation = policy.explain(x, CANDIDATES)
    total = explanation.context.sum(axis=1) + explanation.rest
    np.testing.assert_allclose(total, explanation.expected, atol=1e-10)
    assert np.abs(explanation.rest).max() > 0.0
