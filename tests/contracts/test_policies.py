"""What every policy promises. A new one joins with a line in ``POLICIES``."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from threadpoolctl import threadpool_limits

from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, Policy, draw
from policy.errors import (
    BatchError,
    DecisionError,
    ParameterError,
    StateError,
    UnsupportedError,
)
from policy.model_file import dump, load
from policy.ppo.network import untrained
from policy.saved import SAVED_KINDS, load_policy

N_CONTEXT, N_SHARED = 5, 3
ACTIONS = tuple(f"action-{i}" for i in range(7))
CATALOG = (*(f"action-{i}" for i in range(40)), *(f"new-{i}" for i in range(12)), "a", "b")
"""What a network of a closed catalog has to know to take part here."""


def trained_network(n_context: int, n_shared: int, **parameters: float) -> Policy:
    """A network of random weights that sees two features of the context."""
    network = untrained(("x1", "x3"), CATALOG, np.random.default_rng(6))
    names = [f"x{i}" for i in range(n_context)]
    return load_policy(network.to_bytes(), names, ["z"] * n_shared, **parameters)


POLICIES = {
    "bag": partial(make_policy, "bag"),
    "cover": partial(make_policy, "cover"),
    "default": partial(make_policy, "default"),
    "epsilon_greedy": partial(make_policy, "epsilon_greedy"),
    "lints": partial(make_policy, "lints"),
    "linucb": partial(make_policy, "linucb"),
    "logistic_ts": partial(make_policy, "logistic_ts"),
    "neural_linear": partial(make_policy, "neural_linear"),
    "ppo": trained_network,
    "regcb": partial(make_policy, "regcb"),
    "segmented": partial(make_policy, "segmented", segment_start=1, n_segments=4),
    "softmax": partial(make_policy, "softmax"),
    "squarecb": partial(make_policy, "squarecb"),
}
SAMPLING = {"lints", "logistic_ts"}
CHANCES = {"logistic_ts"}
"""Kinds whose rewards are chances, from 0 to 1."""

ADDITIVE = (
    "cover",
    "default",
    "epsilon_greedy",
    "lints",
    "linucb",
    "regcb",
    "segmented",
    "softmax",
    "squarecb",
)
"""Kinds whose statistics add up: rows can be taken out of them, and replicas merged."""

every_policy = pytest.mark.parametrize("name", POLICIES)
learning_policy = pytest.mark.parametrize("name", POLICY_KINDS)
"""A trained network decides by what it is, whatever the rewards: nothing of them is kept."""
additive_policy = pytest.mark.parametrize("name", ADDITIVE)


def fresh(name: str, **parameters: float) -> Policy:
    return POLICIES[name](N_CONTEXT, N_SHARED, **parameters)


def rows(rng: np.random.Generator, n: int, *, corrections: bool = True) -> Batch:
    contexts = rng.normal(size=(n, N_CONTEXT))
    contexts[:, 0] = 1.0
    first = np.ones(n, np.bool_)
    ids = tuple(ACTIONS[i] for i in rng.integers(len(ACTIONS), size=n))
    if corrections:
        seen: set[str] = set()
        for i, action_id in enumerate(ids):
            first[i] = action_id not in seen or rng.random() < 0.8
            seen.add(action_id)
    # Within [0, 1] before and after, so that every kind can learn them.
    before = np.where(first, 0.0, rng.random(n))
    rewards = rng.random(n) - before
    return Batch(contexts, rng.normal(size=(n, N_SHARED)), ids, rewards, first, before)


def part(batch: Batch, start: int, stop: int) -> Batch:
    return Batch(
        batch.contexts[start:stop],
        batch.features[start:stop],
        batch.action_ids[start:stop],
        batch.rewards[start:stop],
        batch.first[start:stop],
        None if batch.before is None else batch.before[start:stop],
    )


def decision(rng: np.random.Generator, n_actions: int = 7) -> tuple[np.ndarray, Candidates]:
    context = rng.normal(size=N_CONTEXT)
    context[0] = 1.0
    ids = tuple(f"action-{i}" for i in rng.permutation(n_actions + 3)[:n_actions])
    return context, Candidates(ids, rng.normal(size=(n_actions, N_SHARED)))


def bits(policy: Policy) -> tuple[object, dict[str, bytes]]:
    manifest, arrays = policy.state()
    return manifest, {name: array.tobytes() for name, array in arrays.items()}


def trained(name: str, seed: int = 0, n: int = 60, **parameters: float) -> Policy:
    policy = fresh(name, **parameters)
    policy.update(rows(np.random.default_rng(seed), n))
    return policy


def test_the_suite_covers_every_kind() -> None:
    assert tuple(sorted(POLICIES)) == SAVED_KINDS
    assert all(fresh(name).learns == (name in POLICY_KINDS) for name in POLICIES)


@every_policy
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_actions=st.integers(1, 30),
    n_rows=st.integers(0, 40),
    floor=st.sampled_from([0.0, 0.01, 0.3, 0.99]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    unit=st.sampled_from([-1e3, 1e-3, 1.0]),
)
def test_probabilities_sum_to_one_and_keep_the_floor(
    name: str, seed: int, n_actions: int, n_rows: int, floor: float, scale: float, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    policy = fresh(name, floor=floor)
    batch = rows(rng, n_rows)
    unit = 1.0 if name in CHANCES else unit
    policy.update(
        Batch(
            batch.contexts * scale,
            batch.features,
            batch.action_ids,
            batch.rewards * unit,
            batch.first,
            batch.before * unit,
        )
    )
    context, candidates = decision(rng, n_actions)
    probabilities = policy.distribution(context, candidates, rng)
    assert probabilities.shape == (n_actions,)
    assert abs(probabilities.sum() - 1.0) < 1e-9
    assert probabilities.min() >= floor / n_actions * (1.0 - 1e-12)
    assert np.isfinite(policy.expected_rewards(context, candidates)).all()


@every_policy
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 150), max_size=5))
def test_batches_split_anywhere_give_the_same_bits(name: str, seed: int, cuts: list[int]) -> None:
    """Over enough rows that models are solved afresh on the way, and maps made.

    Saved and resumed between the batches, too, and on any number of threads.
    """
    batch = rows(np.random.default_rng(seed), 150)
    whole, split, resumed = fresh(name), fresh(name), fresh(name)
    with threadpool_limits(1, user_api="blas"):
        whole.update(batch)
    edges = [0, *sorted(cuts), 150]
    for start, stop in pairwise(edges):
        split.update(part(batch, start, stop))
        resumed.update(part(batch, start, stop))
        saved, resumed = dump(*resumed.state()), fresh(name)
        resumed.load_state(*load(saved))
    assert bits(whole) == bits(split)
    assert bits(whole) == bits(resumed)


@every_policy
def test_the_number_of_threads_does_not_matter(name: str) -> None:
    """Wide enough that linear algebra splits its work among threads."""
    rng, n_context, n_shared = np.random.default_rng(9), 40, 8
    contexts, features = rng.normal(size=(140, n_context)), rng.normal(size=(140, n_shared))
    ids = tuple(ACTIONS[i] for i in rng.integers(3, size=140))
    batch = Batch(contexts, features, ids, rng.random(140), np.ones(140, np.bool_))
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            policy = POLICIES[name](n_context, n_shared)
            policy.update(batch)
        found.append(bits(policy))
    assert found[0] == found[1]


def spoiled(**changes: object) -> Batch:
    batch = rows(np.random.default_rng(1), 4, corrections=False)
    fields = {name: getattr(batch, name) for name in Batch.__slots__}
    return Batch(**(fields | changes))


def holding(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed.flat[-1] = value
    return changed


BAD_BATCHES = {
    "NaN context": spoiled(contexts=holding(spoiled().contexts, np.nan)),
    "infinite context": spoiled(contexts=holding(spoiled().contexts, np.inf)),
    "huge context": spoiled(contexts=holding(spoiled().contexts, 1e200)),
    "NaN features": spoiled(features=holding(spoiled().features, np.nan)),
    "NaN reward": spoiled(rewards=holding(spoiled().rewards, np.nan)),
    "infinite reward": spoiled(rewards=holding(spoiled().rewards, -np.inf)),
    "wrong width": spoiled(contexts=np.ones((4, N_CONTEXT + 1))),
    "flat context": spoiled(contexts=np.ones(N_CONTEXT)),
    "too few rewards": spoiled(rewards=np.ones(3)),
    "words": spoiled(features=np.full((4, N_SHARED), "red")),
    "first not boolean": spoiled(first=np.ones(4)),
    "empty id": spoiled(action_ids=("action-1", "action-2", "action-3", "")),
    "id no text": spoiled(action_ids=("action-1", "action-2", "action-3", 4)),
    "correction of nothing": spoiled(
        action_ids=("action-1", "action-2", "action-3", "never-seen"),
        first=np.array([True, True, True, False]),
    ),
}


@every_policy
@pytest.mark.parametrize("fault", BAD_BATCHES)
def test_a_refused_update_leaves_the_state_unchanged(name: str, fault: str) -> None:
    policy = trained(name)
    before = bits(policy)
    if fault == "correction of nothing" and not policy.learns:
        pytest.skip("keeps no record of actions that it could be held against")
    with pytest.raises(BatchError):
        policy.update(BAD_BATCHES[fault])
    assert bits(policy) == before


@every_policy
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_decision_on_broken_numbers_is_refused(name: str, value: float) -> None:
    policy = trained(name)
    rng = np.random.default_rng(0)
    context, candidates = decision(rng)
    with pytest.raises(DecisionError, match="context"):
        policy.distribution(holding(context, value), candidates, rng)
    broken = Candidates(candidates.ids, holding(candidates.features, value))
    with pytest.raises(DecisionError, match="features"):
        policy.expected_rewards(context, broken)


@every_policy
def test_no_candidates_and_repeated_candidates_are_refused(name: str) -> None:
    policy, rng = trained(name), np.random.default_rng(0)
    with pytest.raises(DecisionError, match="no candidates"):
        policy.distribution(np.ones(N_CONTEXT), Candidates((), np.ones((0, N_SHARED))), rng)
    twice = Candidates(("a", "b", "a"), np.ones((3, N_SHARED)))
    with pytest.raises(DecisionError, match="'a' is there twice"):
        policy.distribution(np.ones(N_CONTEXT), twice, rng)


@every_policy
def test_a_single_candidate_has_probability_one(name: str) -> None:
    rng = np.random.default_rng(0)
    context, candidates = decision(rng, 1)
    assert trained(name).distribution(context, candidates, rng).tolist() == [1.0]


@every_policy
def test_asking_changes_nothing(name: str) -> None:
    """Neither inputs nor policy; and expectations do not touch any random state."""
    policy = trained(name)
    rng = np.random.default_rng(0)
    context, candidates = decision(rng)
    before, inputs = bits(policy), (context.tobytes(), candidates.features.tobytes())
    np.random.seed(3)  # noqa: NPY002  the global state is what must not be touched
    global_state = np.random.get_state()[1].tobytes()  # noqa: NPY002  to see that it is not touched
    first = policy.expected_rewards(context, candidates)
    policy.distribution(context, candidates, rng)
    assert policy.expected_rewards(context, candidates).tobytes() == first.tobytes()
    assert np.random.get_state()[1].tobytes() == global_state  # noqa: NPY002  to see that it is not touched
    assert bits(policy) == before
    assert (context.tobytes(), candidates.features.tobytes()) == inputs


@every_policy
def test_a_decision_comes_with_the_expected_rewards(name: str) -> None:
    policy, rng = trained(name), np.random.default_rng(2)
    for n_actions in (1, 2, 7):
        context, candidates = decision(rng, n_actions)
        probabilities, expected = policy.decide(context, candidates, np.random.default_rng(3))
        alone = policy.distribution(context, candidates, np.random.default_rng(3))
        np.testing.assert_array_equal(probabilities, alone)
        np.testing.assert_allclose(
            expected, policy.expected_rewards(context, candidates), rtol=1e-12, atol=1e-12
        )


@every_policy
def test_the_same_seed_repeats_to_the_bit(name: str) -> None:
    def probabilities() -> bytes:
        policy, rng = trained(name), np.random.default_rng(11)
        return b"".join(policy.distribution(*decision(rng), rng).tobytes() for _ in range(20))

    assert probabilities() == probabilities()


@every_policy
def test_saved_mid_stream_it_resumes_to_the_bit(name: str) -> None:
    """Through the file, and in learning as well as in deciding."""
    batch = rows(np.random.default_rng(5), 200)
    running, resumed = fresh(name), fresh(name)
    running.update(part(batch, 0, 101))
    resumed.load_state(*load(dump(*running.state())))
    assert bits(resumed) == bits(running)
    for policy in (running, resumed):
        policy.update(part(batch, 101, 200))
    assert bits(resumed) == bits(running)
    context, candidates = decision(np.random.default_rng(6))
    distributions = [
        policy.distribution(context, candidates, np.random.default_rng(7)).tobytes()
        for policy in (running, resumed)
    ]
    assert distributions[0] == distributions[1]


@every_policy
def test_a_saved_state_is_a_copy(name: str) -> None:
    policy = trained(name)
    manifest, arrays = policy.state()
    before = {key: array.tobytes() for key, array in arrays.items()}
    restored = fresh(name)
    restored.load_state(manifest, arrays)
    for learner in (policy, restored):
        learner.update(rows(np.random.default_rng(9), 10))
    assert {key: array.tobytes() for key, array in arrays.items()} == before


@every_policy
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "oracle"),
        ("schema", 99),
        ("n_context", N_CONTEXT + 1),
        ("n_shared", None),
        ("n_updates", -1),
        ("n_updates", True),
        ("actions", "action-1"),
        ("actions", ["action-1", 2]),
        ("actions", []),
        ("prior_action", 77.0),
    ],
)
def test_a_state_of_something_else_is_refused(name: str, field: str, value: object) -> None:
    policy = trained(name)
    manifest, arrays = trained(name, seed=2).state()
    before = bits(policy)
    if field == "prior_action" and not policy.learns:
        pytest.skip("has no priors")
    with pytest.raises(StateError):
        policy.load_state(manifest | {field: value}, arrays)
    assert bits(policy) == before


@learning_policy
@pytest.mark.parametrize("fault", ["missing", "shape", "dtype", "nan", "repeated"])
def test_damaged_arrays_are_refused(name: str, fault: str) -> None:
    policy = trained(name)
    manifest, arrays = trained(name, seed=2).state()
    before = bits(policy)
    if fault == "missing":
        del arrays["blocks"]
    elif fault == "shape":
        arrays["blocks"] = arrays["blocks"][:, :-1]
    elif fault == "dtype":
        arrays["shared"] = arrays["shared"].astype(np.float32)
    elif fault == "nan":
        arrays["shared"][0, 0] = np.nan
    else:
        manifest["actions"] = ["action-1"] * len(arrays["blocks"])
    with pytest.raises(StateError):
        policy.load_state(manifest, arrays)
    assert bits(policy) == before


@every_policy
def test_draws_follow_the_distribution(name: str) -> None:
    rng = np.random.default_rng(21)
    context, candidates = decision(rng)
    probabilities = trained(name, floor=0.2).distribution(context, candidates, rng)
    draws = [draw(probabilities, u) for u in rng.random(100_000)]
    counts = np.bincount(draws, minlength=len(probabilities))
    assert chisquare(counts, 100_000 * probabilities).pvalue > 1e-3


@every_policy
def test_costs_lower_a_score_and_never_an_expectation(name: str) -> None:
    """The action that is shown most stops being shown when it costs more than rewards range."""
    rng = np.random.default_rng(17)
    policy, (context, free) = trained(name, floor=0.07), decision(rng)

    def decided(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        candidates = Candidates(free.ids, free.features, costs)
        return policy.decide(context, candidates, np.random.default_rng(3))

    without, expected = policy.decide(context, free, np.random.default_rng(3))
    favourite, dear = int(without.argmax()), np.zeros(7)
    dear[favourite] = 20.0
    with_costs, same = decided(dear)
    assert without[favourite] > 1.0 / 7.0
    assert with_costs[favourite] == pytest.approx(with_costs.min())
    assert with_costs.max() > 1.0 / 7.0
    np.testing.assert_array_equal(same, expected)
    # What all cost alike changes nothing.
    alike, same = decided(np.full(7, 0.5))
    np.testing.assert_allclose(alike, without, atol=1e-9)
    np.testing.assert_array_equal(same, expected)


@every_policy
def test_an_action_that_is_not_offered_has_no_part_in_a_decision(name: str) -> None:
    """What is expected of the others does not depend on it, and theirs is the whole of 1."""
    rng = np.random.default_rng(18)
    policy, (context, everything) = trained(name), decision(rng)
    probabilities, expected = policy.decide(context, everything, np.random.default_rng(3))
    without = np.flatnonzero(np.arange(7) != probabilities.argmax())
    rest = Candidates(tuple(everything.ids[i] for i in without), everything.features[without])
    masked, theirs = policy.decide(context, rest, np.random.default_rng(3))
    np.testing.assert_allclose(theirs, expected[without], rtol=1e-12, atol=1e-12)
    assert masked.shape == (6,)
    assert abs(masked.sum() - 1.0) < 1e-9
    assert masked.min() >= 0.01 / 6 * (1.0 - 1e-12)
    assert masked.max() > probabilities[without].max()


@learning_policy
def test_a_new_action_starts_from_what_is_shared(name: str) -> None:
    """Never shown, it is expected to do as its features did for the others."""
    rng = np.random.default_rng(4)
    policy = fresh(name)
    n = 2_000
    contexts = np.zeros((n, N_CONTEXT))
    contexts[:, 0] = 1.0
    features = rng.random((n, N_SHARED))
    ids = tuple(ACTIONS[i] for i in rng.integers(len(ACTIONS), size=n))
    rewards = features @ np.array([0.8, 0.0, -0.4])
    best, worst = 0.8, -0.4
    if name in CHANCES:
        rewards, best, worst = (1.0 / (1.0 + np.exp(-5.0 * r)) for r in (rewards, best, worst))
    policy.update(Batch(contexts, features, ids, rewards, np.ones(n, np.bool_)))
    new = Candidates(("new-good", "new-bad"), np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]))
    good, bad = policy.expected_rewards(contexts[0], new)
    assert good == pytest.approx(best, abs=0.05)
    assert bad == pytest.approx(worst, abs=0.05)


@learning_policy
def test_it_finds_a_known_optimum(name: str) -> None:
    """Four kinds of visitor, each with its own best of four actions; the optimum earns 0.9."""
    rng = np.random.default_rng(8)
    policy = fresh(name)
    rates = np.full((4, 4), 0.1) + 0.8 * np.eye(4)[[2, 0, 3, 1]]
    ids = ACTIONS[:4]
    candidates = Candidates(ids, np.ones((4, N_SHARED)))
    regrets = []
    for _ in range(1_500):
        visitor = int(rng.integers(4))
        context = np.array([1.0, *np.eye(4)[visitor]])
        probabilities = policy.distribution(context, candidates, rng)
        chosen = draw(probabilities, rng.random())
        reward = float(rng.random() < rates[visitor, chosen])
        regrets.append(0.9 - probabilities @ rates[visitor])
        policy.update(
            Batch(
                context[None],
                candidates.features[:1],
                (ids[chosen],),
                np.array([reward]),
                np.ones(1, np.bool_),
            )
        )
    assert np.mean(regrets[:20]) > 0.2  # nothing was known at first
    assert np.mean(regrets[-500:]) < 0.1  # uniformly random: 0.6


@pytest.mark.parametrize("name", sorted(POLICIES.keys() - SAMPLING))
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_actions=st.integers(2, 12), tied=st.booleans())
def test_the_order_of_candidates_does_not_matter(
    name: str, seed: int, n_actions: int, tied: bool
) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, n=seed % 40)
    context, candidates = decision(rng, n_actions)
    ids, features = candidates.ids, candidates.features
    if tied:
        ids = tuple(f"new-{i}" for i in range(n_actions))
        features = np.tile(features[0], (n_actions, 1))
    order = rng.permutation(n_actions)
    shuffled = Candidates(tuple(ids[i] for i in order), features[order])
    straight = policy.distribution(context, Candidates(ids, features), rng)
    np.testing.assert_allclose(
        policy.distribution(context, shuffled, rng), straight[order], rtol=1e-9, atol=1e-12
    )
    if tied and policy.learns:  # to a network no two actions are alike
        np.testing.assert_allclose(straight, 1.0 / n_actions, rtol=1e-9)


@every_policy
def test_float32_and_float64_inputs_decide_alike(name: str) -> None:
    """What is logged in 4 bytes and read back decides as it did."""
    policy, rng = trained(name), np.random.default_rng(2)
    context, candidates = decision(rng)
    x, z = context.astype(np.float32), candidates.features.astype(np.float32)
    small = policy.distribution(x, Candidates(candidates.ids, z), np.random.default_rng(3))
    wide = Candidates(candidates.ids, z.astype(np.float64))
    large = policy.distribution(x.astype(np.float64), wide, np.random.default_rng(3))
    assert small.tobytes() == large.tobytes()


@every_policy
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("floor", 1.0),
        ("floor", -0.1),
        ("floor", float("nan")),
        ("prior_action", 0.0),
        ("prior_shared", float("inf")),
        ("prior_intercept", "big"),
    ],
)
def test_impossible_parameters_are_refused_by_name(name: str, parameter: str, value: float) -> None:
    with pytest.raises(ParameterError, match=parameter):
        fresh(name, **{parameter: value})


def net_rows(rng: np.random.Generator, n: int) -> Batch:
    """Rows of which some are corrected later, once or twice, each time from what it was."""
    plain = rows(rng, n, corrections=False)
    late = np.sort(rng.integers(n, size=n // 4))
    earned = plain.rewards.copy()
    before, changes = [], rng.normal(size=len(late))
    for row, change in zip(late, changes, strict=True):
        before.append(earned[row])
        earned[row] += change
    return Batch(
        np.vstack([plain.contexts, plain.contexts[late]]),
        np.vstack([plain.features, plain.features[late]]),
        (*plain.action_ids, *(plain.action_ids[row] for row in late)),
        np.concatenate([plain.rewards, changes]),
        np.concatenate([plain.first, np.zeros(len(late), np.bool_)]),
        np.concatenate([np.zeros(n), before]),
    )


def joined(one: Batch, other: Batch) -> Batch:
    return Batch(
        np.vstack([one.contexts, other.contexts]),
        np.vstack([one.features, other.features]),
        one.action_ids + other.action_ids,
        np.concatenate([one.rewards, other.rewards]),
        np.concatenate([one.first, other.first]),
        np.concatenate([one.before, other.before]),
    )


def decisions_of(policy: Policy) -> np.ndarray:
    """What it would do and expect of ten visitors, each with a generator of its own."""
    found = []
    for seed in range(10):
        context, candidates = decision(np.random.default_rng(seed))
        found.append(policy.decide(context, candidates, np.random.default_rng(seed)))
    return np.array(found)


def taught(name: str, *batches: Batch) -> Policy:
    policy = fresh(name)
    for batch in batches:
        policy.update(batch)
    return policy


@additive_policy
@pytest.mark.parametrize(("n_kept", "n_out"), [(200, 40), (12, 5), (40, 300)])
def test_removed_rows_were_never_learned(name: str, n_kept: int, n_out: int) -> None:
    """Corrections included, in any order, to 1e-8 in what is expected and in what is done."""
    rng = np.random.default_rng(n_out)
    first, out, last = (net_rows(rng, n) for n in (n_kept, n_out, n_kept))
    policy, never = taught(name, first, out, last), taught(name, first, last)
    order = rng.permutation(len(out.rewards))
    policy.remove(
        Batch(
            out.contexts[order],
            out.features[order],
            tuple(out.action_ids[i] for i in order),
            out.rewards[order],
            out.first[order],
            out.before[order],
        )
    )
    never.refit()
    assert policy.n_updates == never.n_updates
    np.testing.assert_allclose(decisions_of(policy), decisions_of(never), atol=1e-8)


@additive_policy
def test_two_replicas_add_up(name: str) -> None:
    rng = np.random.default_rng(5)
    start, mine, others = (net_rows(rng, n) for n in (0, 90, 120))
    merged, other, whole = taught(name, mine), taught(name, others), taught(name, mine, others)
    if name == "default":  # the map of features is made once and handed to every replica
        start = net_rows(rng, 40)
        first = taught(name, start)
        other.load_state(*first.state())
        other.update(others)
        other.remove(start)
        merged, whole = taught(name, start, mine), taught(name, start, mine, others)
    merged.merge(*other.state())
    whole.refit()
    assert merged.n_updates == whole.n_updates
    np.testing.assert_allclose(decisions_of(merged), decisions_of(whole), atol=1e-8)


@additive_policy
def test_rows_that_were_never_learned_cannot_be_removed(name: str) -> None:
    policy = taught(name, net_rows(np.random.default_rng(0), 60))
    before = bits(policy)
    strange = rows(np.random.default_rng(1), 2, corrections=False)
    with pytest.raises(BatchError, match="never learned"):
        policy.remove(Batch(*strange_rows(strange)))
    with pytest.raises(BatchError, match="only 75 were learned"):
        policy.remove(rows(np.random.default_rng(1), 300, corrections=False))
    assert bits(policy) == before


def strange_rows(batch: Batch) -> tuple[object, ...]:
    return batch.contexts, batch.features, ("nobody", "nobody"), batch.rewards, batch.first


@pytest.mark.parametrize("name", sorted(set(POLICY_KINDS) - set(ADDITIVE)))
def test_what_does_not_add_up_says_so(name: str) -> None:
    policy = trained(name)
    with pytest.raises(UnsupportedError, match="relearn"):
        policy.remove(rows(np.random.default_rng(1), 2, corrections=False))
    with pytest.raises(UnsupportedError, match="relearn"):
        policy.merge(*trained(name, seed=2).state())


@additive_policy
def test_what_forgets_does_not_add_up(name: str) -> None:
    policy = fresh(name, half_life=50.0)
    batch = rows(np.random.default_rng(1), 60, corrections=False)
    policy.update(batch)
    before = bits(policy)
    with pytest.raises(UnsupportedError, match="half_life 50"):
        policy.remove(batch)
    with pytest.raises(UnsupportedError, match="half_life 50"):
        policy.merge(*policy.state())
    assert bits(policy) == before


@every_policy
def test_an_explanation_adds_up_to_what_is_expected(name: str) -> None:
    policy = trained(name)
    context, candidates = decision(np.random.default_rng(3))
    before = bits(policy)
    explanation = policy.explain(context, candidates)
    total = explanation.context.sum(axis=1) + explanation.features.sum(axis=1) + explanation.rest
    np.testing.assert_allclose(total, explanation.expected, atol=1e-9)
    assert explanation.ids == candidates.ids
    assert explanation.context.shape == (7, N_CONTEXT)
    assert explanation.features.shape == (7, N_SHARED)
    assert bits(policy) == before


@additive_policy
def test_arms_are_summed_up(name: str) -> None:
    """Pulls and rewards exactly, corrections included; and one arm is best."""
    batch = net_rows(np.random.default_rng(4), 120)
    policy = taught(name, batch)
    before = bits(policy)
    summaries = {summary.action_id: summary for summary in policy.summary()}
    for action_id in ACTIONS:
        of = np.array([i == action_id for i in batch.action_ids])
        n = int((of & batch.first).sum())
        assert summaries[action_id].n == n
        assert summaries[action_id].mean_reward == pytest.approx(batch.rewards[of].sum() / n)
        low, high = summaries[action_id].interval
        assert low < summaries[action_id].mean_reward < high
    assert sum(summary.p_best for summary in summaries.values()) == pytest.approx(1.0)
    assert bits(policy) == before
    assert fresh(name).summary() == []
