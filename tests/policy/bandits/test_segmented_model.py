"""The segmented model against one regression on all of its weights at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from policy.bandits.linear_model import OwnPriors
from policy.bandits.segment_pairs import Segments
from policy.bandits.segmented_model import SegmentedModel

D, K, N_SEGMENTS, ACTIONS = 5, 2, 3, ("a", "b")
OWN, SHARED, SEGMENT = (0.5, 1.5), 2.0, 3.0


class Seen(NamedTuple):
    action: int
    x: np.ndarray
    z: np.ndarray
    reward: float


def visitor(rng: np.random.Generator) -> np.ndarray:
    """Of one of the segments, or of none."""
    x = np.append(1.0, rng.normal(size=D - 1))
    x[1 : 1 + N_SEGMENTS] = np.eye(N_SEGMENTS + 1)[rng.integers(N_SEGMENTS + 1)][:N_SEGMENTS]
    return x


def seen(rng: np.random.Generator, n: int) -> list[Seen]:
    return [
        Seen(int(rng.integers(2)), visitor(rng), rng.normal(size=K), float(rng.normal()))
        for _ in range(n)
    ]


def fresh(**parameters: float) -> SegmentedModel:
    given = {"prior_segment": SEGMENT, "prior_shared": SHARED} | parameters
    return SegmentedModel(D, K, segments=Segments(1, N_SEGMENTS), own=OwnPriors(*OWN), **given)


def taught(rows: list[Seen], model: SegmentedModel) -> SegmentedModel:
    slots = model.blocks.slots_for(ACTIONS)
    for row in rows:
        model.learn(slots[row.action], row.x, row.z, row.reward)
    return model


def all_features(row: Seen) -> np.ndarray:
    """[z, x for the action, x for the action in the segment]."""
    segment = Segments(1, N_SEGMENTS).of(row.x)
    own, pair = np.zeros((2, D)), np.zeros((2, N_SEGMENTS + 1, D))
    own[row.action] = pair[row.action, segment] = row.x
    return np.concatenate([row.z, own.ravel(), pair[:, :N_SEGMENTS].ravel()])


class Exact:
    """The ridge regression on all features, solved at once."""

    def __init__(self, rows: list[Seen]) -> None:
        own = np.append(OWN[0], np.full(D - 1, OWN[1]))
        prior = np.concatenate(
            [np.full(K, SHARED), np.tile(own, 2), np.full(2 * N_SEGMENTS * D, SEGMENT)]
        )
        design = np.array([all_features(row) for row in rows])
        rewards = np.array([row.reward for row in rows])
        self.covariance = np.linalg.inv(design.T @ design + np.diag(prior))
        self.weights = self.covariance @ design.T @ rewards
        self.squared_error = float(rewards @ rewards - rewards @ design @ self.weights)
        self.noise = self.squared_error / len(rows)

    def of(self, row: Seen) -> tuple[float, float]:
        f = all_features(row)
        return float(f @ self.weights), float(f @ self.covariance @ f) * self.noise


def assert_same(model: SegmentedModel, exact: Exact, rng: np.random.Generator) -> None:
    assert model.squared_error == pytest.approx(exact.squared_error, rel=1e-9)
    for _ in range(20):
        x, z = visitor(rng), rng.normal(size=(2, K))
        means, variances = model.means_and_variances(x, z, ACTIONS)
        expected = [exact.of(Seen(action, x, z[action], 0.0)) for action in range(2)]
        np.testing.assert_allclose(np.array([means, variances]).T, expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(model.means(x, z, ACTIONS), means, rtol=1e-12)


def test_it_is_the_regression_on_all_weights_at_once() -> None:
    rng = np.random.default_rng(0)
    rows = seen(rng, 150)  # more than it takes to be solved afresh on the way
    model = taught(rows, fresh())
    assert_same(model, Exact(rows), rng)
    model.solve()
    assert_same(model, Exact(rows), rng)


def test_a_correction_is_as_if_the_reward_had_been_known() -> None:
    rng = np.random.default_rng(1)
    rows = seen(rng, 100)
    model = taught(rows, fresh())
    for index, row in enumerate(rows[:40]):
        change = float(rng.normal())
        (slot,) = model.blocks.slots_for((ACTIONS[row.action],))
        model.correct(slot, row.x, row.z, change, row.reward)
        rows[index] = row._replace(reward=row.reward + change)
    assert_same(model, Exact(rows), rng)
    model.solve()
    assert_same(model, Exact(rows), rng)


def test_removed_rows_were_never_learned() -> None:
    rng = np.random.default_rng(2)
    rows = seen(rng, 100)
    model = taught(rows, fresh())
    for row in rows[30:70]:
        model.remove(model.blocks.slots_for((ACTIONS[row.action],))[0], row.x, row.z, row.reward)
    model.refit()
    assert_same(model, Exact(rows[:30] + rows[70:]), rng)


def test_two_models_merge_into_that_of_both_logs() -> None:
    rng = np.random.default_rng(3)
    mine, theirs = seen(rng, 80), seen(rng, 60)
    model, other = taught(mine, fresh()), taught(theirs, fresh())
    model.merge(other.blocks.action_ids, other.arrays(), other.scalars())
    assert_same(model, Exact(mine + theirs), rng)


def test_an_unknown_action_has_the_prior_and_a_new_pair_its_action() -> None:
    rng = np.random.default_rng(4)
    model = fresh()
    (slot,) = model.blocks.slots_for(["a"])
    home = np.array([1.0, 1.0, 0.0, 0.0, 0.5])
    for _ in range(50):
        model.learn(slot, home, rng.normal(size=K), 2.0)
    away = np.array([1.0, 0.0, 1.0, 0.0, 0.5])
    z = np.zeros((2, K))
    means, variances = model.means_and_variances(away, z, ("a", "new"))
    assert 0.3 < means[0] < model.means(home, z, ("a", "new"))[0] < 2.1
    assert means[1] == pytest.approx(0.0, abs=1e-9)
    assert variances[0] < variances[1]


def test_how_far_segments_differ_is_estimated() -> None:
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(2, D))
    found = {}
    for spread in (0.01, 1.0):
        deviations = spread * rng.normal(size=(2, N_SEGMENTS + 1, D))
        model = SegmentedModel(D, 0, segments=Segments(1, N_SEGMENTS))
        slots = model.blocks.slots_for(ACTIONS)
        for _ in range(2_000):
            action, x = int(rng.integers(2)), visitor(rng)
            theta = weights[action] + deviations[action, Segments(1, N_SEGMENTS).of(x)]
            model.learn(slots[action], x, np.zeros(0), float(x @ theta + 0.5 * rng.normal()))
        found[spread] = float(model.segment_priors.values[0])
        assert model.noise_variance == pytest.approx(0.25, rel=0.1)
    # σ² / spread² is 0.25 for the second; the first are the same for all that can be told.
    assert 0.1 < found[1.0] < 0.6
    assert found[0.01] > 20.0 * found[1.0]


def test_only_the_segments_prior_may_be_left_to_estimate() -> None:
    model = taught(seen(np.random.default_rng(6), 300), fresh(prior_segment=None))
    assert model.segment_priors.values[0] != 1.0
    assert model.own_priors.values.tolist()[:2] == list(OWN)


def test_it_forgets_with_its_half_life() -> None:
    """What segments have of their own turns round."""
    rng, errors = np.random.default_rng(7), []
    for half_life in (None, 100.0):
        model = SegmentedModel(D, 0, segments=Segments(1, N_SEGMENTS), half_life=half_life)
        (slot,) = model.blocks.slots_for(["a"])
        for row in range(2_000):
            x = visitor(rng)
            sign = 1.0 if row < 1_200 else -1.0
            model.learn(slot, x, np.zeros(0), sign * (x[1] - x[2]) + 0.1 * float(rng.normal()))
        x = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
        errors.append(abs(float(model.means(x, np.zeros((1, 0)), ("a",))[0]) + 1.0))
    assert errors[1] < 0.1 < errors[0]


def test_the_average_visitor_is_of_each_segment_as_often_as_it_came() -> None:
    rng = np.random.default_rng(8)
    rows = seen(rng, 120)
    model, exact = taught(rows, fresh()), Exact(rows)
    means, covariance = model.at_average()
    contexts = [row.x for row in rows]
    features = []
    for action in range(2):
        mine = [row.z for row in rows if row.action == action]
        z = np.mean(mine, axis=0)
        features.append(np.mean([all_features(Seen(action, x, z, 0.0)) for x in contexts], axis=0))
    design = np.array(features)
    np.testing.assert_allclose(means, design @ exact.weights, rtol=1e-8)
    expected = design @ exact.covariance @ design.T * exact.noise
    np.testing.assert_allclose(covariance, expected, rtol=1e-7, atol=1e-10)


def test_a_gram_that_rounding_spoiled_is_still_solved() -> None:
    model = fresh()
    (slot,) = model.blocks.slots_for(["a"])
    rng = np.random.default_rng(9)
    for _ in range(300):
        x = 1e6 * np.ones(D)
        x[0], x[1 : 1 + N_SEGMENTS] = 1.0, (1.0, 0.0, 0.0)
        model.learn(slot, x, rng.normal(size=K), 1.0)
    model.solve()
    means, variances = model.means_and_variances(x, np.zeros((1, K)), ("a",))
    assert means[0] == pytest.approx(1.0, abs=0.2)
    assert 0.0 <= variances[0] < 1.0
