"""The neural family: what its space is good for, and what it says when it cannot be trained."""

import importlib.util

import numpy as np
import pytest

from segments.cluster.assign.encoder import WEIGHTS
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.neural import NeuralEncoder
from segments.cluster.tree_rules import explain
from segments.errors import SegmentationError
from segments.evaluation.stability import adjusted_rand_index
from segments.evaluation.value import future_value

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="training needs torch: pip install 'segue[train]'",
)


def fit(family, cohort, previous=None, seed=0):
    return fit_segments(family, cohort, previous=previous, rng=np.random.default_rng(seed))


def repeated(n=600, seed=0):
    """Three kinds that three features tell apart, and one number without kinds said five times."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n) % 3
    said = np.eye(3)[kinds] + rng.normal(0.0, 0.12, (n, 3))
    same = rng.uniform(0.0, 2.0, (n, 1)) + rng.normal(0.0, 0.02, (n, 5))
    vectors = np.hstack([said, same]).astype(np.float32)
    return Cohort(vectors, tuple(f"feature_{i}" for i in range(8))), kinds


@needs_torch
def test_what_is_said_five_times_does_not_drown_what_is_said_once():
    cohort, kinds = repeated()
    agreement = {
        name: adjusted_rand_index(kinds, fit(family, cohort).assign_many(cohort.vectors))
        for name, family in (("kmeans", KMeans(3)), ("neural", NeuralEncoder(3, n_steps=200)))
    }
    assert agreement["neural"] > agreement["kmeans"] + 0.1


@needs_torch
def test_foresight_bends_the_space_towards_the_outcome():
    rng = np.random.default_rng(1)
    vectors = rng.normal(0.0, 1.0, (800, 6)).astype(np.float32)
    outcome = 100.0 * np.maximum(vectors[:, 0] * vectors[:, 1], 0.0)  # no single feature says it
    cohort = Cohort(vectors, tuple(f"feature_{i}" for i in range(6)), outcome)
    known = {
        foresight: future_value(
            fit(NeuralEncoder(4, foresight=foresight), cohort).assign_many(vectors),
            outcome,
        ).eta_squared
        for foresight in (False, True)
    }
    assert known[True] > known[False] + 0.2


@needs_torch
def test_foresight_without_an_outcome_is_refused():
    with pytest.raises(SegmentationError, match="give the cohort a target"):
        fit(NeuralEncoder(3, foresight=True), repeated()[0])


@needs_torch
def test_a_refit_stays_near_and_another_size_starts_afresh():
    cohort, _ = repeated()
    later, _ = repeated(seed=5)
    first = fit(NeuralEncoder(3, n_steps=80), cohort)
    again = fit(NeuralEncoder(3, n_steps=80), later, first, seed=1)
    apart = first.assigner.encoder.encode(later.vectors) - again.assigner.encoder.encode(
        later.vectors
    )
    assert np.sqrt((apart**2).mean()) < 0.15
    assert again.assigner.encoder.scaling is first.assigner.encoder.scaling
    wider = fit(NeuralEncoder(3, n_steps=20, n_dimensions=2), later, first)
    assert wider.assigner.encoder.axes.shape == (2, 2)


@needs_torch
def test_a_budget_bounds_how_many_a_refit_moves():
    cohort, _ = repeated()
    other = Cohort(cohort.vectors[::-1] + np.float32(0.2), cohort.feature_names)
    family = NeuralEncoder(3, n_steps=80, max_churn=0.01)
    first = fit(family, cohort)
    second = fit(family, other, first)
    old, new = (one.assigner.labels(other.vectors) for one in (first, second))
    assert (old != new).mean() <= 0.01


@needs_torch
def test_rules_explain_it_and_say_how_faithfully():
    cohort, _ = repeated()
    said = explain(fit(NeuralEncoder(3, n_steps=100), cohort), cohort, np.random.default_rng(0))
    assert 0.8 < said.fidelity <= 1.0
    assert len(said.rules) == 3


@needs_torch
def test_it_sees_only_the_features_that_it_is_given():
    cohort, _ = repeated()
    fitted = fit(NeuralEncoder(3, n_steps=20, features=("feature_0", "feature_2")), cohort)
    assert fitted.assigner.encoder.scaling.columns.tolist() == [0, 2]
    shuffled = cohort.vectors.copy()
    shuffled[:, [1, 3, 4, 5, 6, 7]] = 9.0
    assert (fitted.assign_many(shuffled) == fitted.assign_many(cohort.vectors)).all()


@needs_torch
def test_torch_is_left_as_it_was_found():
    import torch

    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    fit(NeuralEncoder(2, n_steps=3), repeated()[0])
    assert (torch.random.get_rng_state() == state).all()
    assert torch.get_num_threads() == threads


@needs_torch
def test_half_way_is_between():
    cohort, _ = repeated()
    one = fit(NeuralEncoder(3, n_steps=20), cohort).assigner
    two = fit(NeuralEncoder(3, n_steps=20), repeated(seed=2)[0]).assigner
    assert all(
        (getattr(one.encoder.towards(two.encoder, 0.0), name) == getattr(one.encoder, name)).all()
        for name in WEIGHTS
    )
    assert np.allclose(one.towards(two, 0.5).centroids, (one.centroids + two.centroids) / 2)


def test_a_missing_torch_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SegmentationError, match=r"not installed: pip install 'segue\[train\]'"):
        fit(NeuralEncoder(2), repeated()[0])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_segments": 9}, "n_segments must be 1 to 8, got 9"),
        ({"n_segments": 3, "n_dimensions": 0}, "n_dimensions must be 1 to 32, got 0"),
        ({"n_segments": 3, "n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"n_segments": 3, "max_churn": 2.0}, "max_churn must be a share"),
    ],
)
def test_numbers_out_of_range_are_refused(settings, told):
    with pytest.raises(SegmentationError, match=told):
        NeuralEncoder(**settings)


def test_an_unknown_feature_is_named_with_the_nearest():
    cohort = Cohort(np.zeros((3, 2), np.float32), ("orders", "revenue_cents"))
    with pytest.raises(SegmentationError, match="no feature 'order'; did you mean 'orders'"):
        fit(KMeans(2, features=("order",)), cohort)
    with pytest.raises(SegmentationError, match="each once and at least one"):
        fit(KMeans(2, features=("orders", "orders")), cohort)


def test_a_refit_on_other_features_starts_afresh():
    cohort, _ = repeated()
    first = fit(KMeans(3, features=("feature_0", "feature_1")), cohort)
    second = fit(KMeans(3, 0.03, features=("feature_2", "feature_3", "feature_4")), cohort, first)
    assert second.assigner.centroids.shape == (3, 3)
    assert second.version == 2
