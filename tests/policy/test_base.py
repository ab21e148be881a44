"""The contract's shared steps: the draw, the checks, the floor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.bandits.linucb import LinUCB
from policy.base import Batch, Candidates, draw
from policy.errors import BatchError, DecisionError, ParameterError, PolicyError

weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1.0)), min_size=1, max_size=50).filter(
    lambda values: sum(values) > 0
)
uniforms = st.one_of(
    st.floats(0.0, 1.0, exclude_max=True), st.sampled_from([0.0, 1.0 - 2.0**-53, 5e-324])
)


@settings(deadline=None)
@given(weights, uniforms)
def test_a_draw_never_takes_an_action_of_probability_zero(values: list[float], u: float) -> None:
    probabilities = np.array(values) / sum(values)
    assert probabilities[draw(probabilities, u)] > 0.0


@settings(deadline=None)
@given(weights, uniforms)
def test_a_draw_inverts_the_cumulative_distribution(values: list[float], u: float) -> None:
    probabilities = np.array(values) / sum(values)
    index = draw(probabilities, u)
    assert probabilities[:index].sum() <= u + 1e-9
    assert u <= probabilities[: index + 1].sum() + 1e-9


@pytest.mark.parametrize("u", [-1e-9, 1.0, np.nan, np.inf])
def test_u_must_lie_in_the_unit_interval(u: float) -> None:
    with pytest.raises(DecisionError, match="must be at least 0 and below 1"):
        draw(np.ones(1), u)


def test_the_floor_is_mixed_in_exactly() -> None:
    policy = LinUCB(1, 0, floor=0.2)
    policy.update(Batch(np.ones((9, 1)), np.ones((9, 0)), ("b",) * 9, np.ones(9), np.ones(9, bool)))
    four = Candidates(("a", "b", "c", "d"), np.ones((4, 0)))
    probabilities = policy.distribution(np.ones(1), four, np.random.default_rng(0))
    np.testing.assert_allclose(probabilities, [0.05, 0.85, 0.05, 0.05], rtol=1e-15)


class Broken(LinUCB):
    kind = "broken"

    def _decide(self, x, z, ids, costs, rng):
        return np.full(len(ids), np.nan), np.zeros(len(ids))


def test_a_broken_distribution_never_gets_out() -> None:
    pair = Candidates(("a", "b"), np.ones((2, 0)))
    with pytest.raises(PolicyError, match="broken: probabilities sum to nan"):
        Broken(1, 0).distribution(np.ones(1), pair, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("n_context", "n_shared"), [(0, 1), (1, -1), (True, 1), (2.0, 1), (10**9, 1), (1, "3")]
)
def test_dimensions_must_be_whole_and_sensible(n_context: int, n_shared: int) -> None:
    with pytest.raises(ParameterError, match="must be a whole number from"):
        LinUCB(n_context, n_shared)


def test_a_message_names_the_entry_and_the_rule() -> None:
    contexts = np.ones((3, 2))
    contexts[1, 0] = np.nan
    batch = Batch(contexts, np.ones((3, 1)), ("a",) * 3, np.ones(3), np.ones(3, bool))
    with pytest.raises(BatchError, match=r"contexts\[1, 0\] is nan: must be a finite number"):
        LinUCB(2, 1).update(batch)


def test_features_for_another_number_of_candidates_are_refused() -> None:
    with pytest.raises(DecisionError, match=r"features has shape \(3, 1\): must be \(2, 1\)"):
        LinUCB(1, 1).expected_rewards(np.ones(1), Candidates(("a", "b"), np.ones((3, 1))))


@pytest.mark.parametrize("ids", [["a", "b"], ("a", 1), ("a", None)])
def test_ids_must_be_a_tuple_of_strings(ids: tuple[str, ...]) -> None:
    """A list could change under the policy, which remembers the tuple that it checked."""
    with pytest.raises(DecisionError, match="must be a tuple of strings"):
        LinUCB(1, 1).expected_rewards(np.ones(1), Candidates(ids, np.ones((2, 1))))


def test_an_empty_batch_teaches_nothing() -> None:
    policy = LinUCB(2, 1)
    policy.update(Batch(np.ones((0, 2)), np.ones((0, 1)), (), np.ones(0), np.ones(0, bool)))
    assert policy.n_updates == 0
