"""CATS: an exact density for every price, learning from the price taken, and the regret of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from policy.bandits.build import make_policy
from policy.bandits.cats import Cats, bin_features
from policy.base import Batch, Candidates, draw
from policy.catalog.price_range import PriceRange, nearest
from policy.errors import BatchError, DecisionError, ParameterError, StateError, UnsupportedError
from policy.mixture import Mixture
from policy.model_file import dump, load

PRICES = PriceRange(200, 1_400, 10)
N_CONTEXT = 3
KINDS = ("bag", "default", "epsilon_greedy", "linucb", "lints", "regcb", "softmax", "squarecb")
every_kind = pytest.mark.parametrize("kind", KINDS)
spans = st.tuples(st.integers(0, len(PRICES.all) - 1), st.integers(0, len(PRICES.all) - 1))


def fresh(kind="linucb", *, floor=0.05, n_bins=16, bandwidth_cents=None, prices=PRICES, **options):
    chooser = make_policy(kind, 1, bin_features(N_CONTEXT), **options)
    return Cats(
        chooser, N_CONTEXT, prices, n_bins=n_bins, bandwidth_cents=bandwidth_cents, floor=floor
    )


def rows(rng, n, prices=PRICES):
    contexts = rng.uniform(-1, 1, (n, N_CONTEXT))
    contexts[:, 0] = 1.0
    cents = rng.choice(prices.all, n)
    rewards = np.where(rng.random(n) < 0.4, cents / 100, 0.0)
    return Batch(contexts, cents[:, None] / 100, ("tea",) * n, rewards, np.ones(n, np.bool_))


def trained(kind="linucb", n=80, seed=0, **options):
    policy = fresh(kind, **options)
    policy.update(rows(np.random.default_rng(seed), n))
    return policy


def bits(policy):
    manifest, arrays = policy.state()
    return manifest, {name: array.tobytes() for name, array in arrays.items()}


def neighbours(span):
    low, high = sorted(span)
    return PRICES.all[low : high + 1]


TRAINED = {kind: trained(kind) for kind in KINDS}


@every_kind
@settings(max_examples=25, deadline=None)
@given(span=spans, seed=st.integers(0, 2**32 - 1))
def test_the_density_integrates_to_one_over_what_is_allowed_and_is_zero_elsewhere(kind, span, seed):
    rng = np.random.default_rng(seed)
    allowed = neighbours(span)
    context = np.concatenate(([1.0], rng.normal(size=N_CONTEXT - 1)))
    density = TRAINED[kind].density(context, allowed, rng)
    assert density.masses.sum() == pytest.approx(1.0, abs=1e-9)
    assert (density.edges[0], density.edges[-1]) == (allowed[0] - 5, allowed[-1] + 5)
    chances = density.at(np.array(PRICES.all, float)) * PRICES.step_cents
    inside = np.isin(PRICES.all, allowed)
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)
    assert not chances[~inside].any()
    assert chances[inside].min() >= 0.05 / len(allowed) * (1 - 1e-9)


@every_kind
@pytest.mark.parametrize("allowed", [PRICES.all, PRICES.all[7:52], PRICES.all[40:41]])
def test_draws_pass_tests_against_the_density(kind, allowed):
    rng = np.random.default_rng(3)
    density = TRAINED[kind].density(np.array([1.0, 0.5, -0.5]), allowed, rng)
    draws = np.array([density.draw(u) for u in rng.random(4_000)])
    assert kstest(draws, density.below).pvalue > 1e-4
    prices = [nearest(allowed, value) for value in draws]
    chances = density.at(np.array(allowed, float)) * PRICES.step_cents
    counts = np.bincount([allowed.index(price) for price in prices], minlength=len(allowed))
    assert len(allowed) == 1 or chisquare(counts, 4_000 * chances / chances.sum()).pvalue > 1e-4


@every_kind
def test_a_saved_state_resumes_to_the_bit(kind):
    policy, twin = trained(kind), fresh(kind)
    twin.load_state(*load(dump(*policy.state())))
    assert bits(twin) == bits(policy)
    more = rows(np.random.default_rng(1), 40)
    for one in (policy, twin):
        one.update(more)
    assert bits(twin) == bits(policy)
    context = np.array([1.0, 0.1, 0.2])
    densities = [
        one.density(context, PRICES.all, np.random.default_rng(2)) for one in (policy, twin)
    ]
    assert densities[0].heights.tobytes() == densities[1].heights.tobytes()


def test_batches_and_single_rows_teach_the_same():
    at_once, one_by_one = fresh(), fresh()
    batch = rows(np.random.default_rng(4), 30)
    at_once.update(batch)
    for i in range(30):
        one_by_one.update(
            Batch(
                batch.contexts[i : i + 1],
                batch.features[i : i + 1],
                ("tea",),
                batch.rewards[i : i + 1],
                batch.first[i : i + 1],
            )
        )
    assert bits(one_by_one) == bits(at_once)


def test_a_refund_corrects_what_its_price_taught():
    cents, ones = np.array([[6.0]]), np.ones((1, N_CONTEXT))
    options = {"prior_shared": 1.0, "prior_intercept": 1.0, "prior_action": 1.0}
    refunded, never = fresh(**options), fresh(**options)
    refunded.update(Batch(ones, cents, ("tea",), np.array([6.0]), np.array([True])))
    back = Batch(ones, cents, ("tea",), np.array([-6.0]), np.array([False]), np.array([6.0]))
    refunded.update(back)
    never.update(Batch(ones, cents, ("tea",), np.array([0.0]), np.array([True])))
    ask = Candidates(("a", "b"), np.array([[6.0], [11.0]]))
    for policy in (refunded, never):
        assert policy.expected_rewards(ones[0], ask) == pytest.approx(np.zeros(2), abs=1e-12)


def test_prices_of_another_range_teach_nothing():
    policy, twin = fresh(), fresh()
    batch = rows(np.random.default_rng(5), 200, PriceRange(50, 2_000, 10))
    kept = (batch.features[:, 0] >= 2.0) & (batch.features[:, 0] <= 14.0)
    policy.update(batch)
    twin.update(
        Batch(
            batch.contexts[kept],
            batch.features[kept],
            ("tea",) * int(kept.sum()),
            batch.rewards[kept],
            batch.first[kept],
        )
    )
    ours, theirs = bits(policy), bits(twin)
    assert (ours[0]["bins"], ours[1]) == (theirs[0]["bins"], theirs[1])
    assert ours[0]["n_updates"] == 200


def test_cents_survive_the_float32_of_the_log():
    top = PriceRange(1, 8_000_000)
    cents = np.array([1, 99_999, 1_677_721, 7_999_999, 8_000_000])
    logged = (cents / 100).astype(np.float32)
    assert np.round(logged.astype(np.float64) * 100).astype(int).tolist() == cents.tolist()
    assert fresh(prices=top).bins.names(cents.astype(float))[-1] == "7500001-8000000"


def test_rows_can_be_removed_and_replicas_merged():
    rng = np.random.default_rng(6)
    mine, theirs = rows(rng, 40), rows(rng, 50)
    both, merged, other = fresh("squarecb"), fresh("squarecb"), fresh("squarecb")
    for batch in (mine, theirs):
        both.update(batch)
    merged.update(mine)
    other.update(theirs)
    merged.merge(*other.state())
    ask = Candidates(("a", "b", "c"), np.array([[3.0], [7.0], [12.0]]))
    context = np.array([1.0, 0.3, -0.2])
    both.policy.refit()
    assert merged.expected_rewards(context, ask) == pytest.approx(
        both.expected_rewards(context, ask), abs=1e-8
    )
    alone = fresh("squarecb")
    alone.update(mine)
    alone.policy.refit()
    both.remove(theirs)
    assert both.expected_rewards(context, ask) == pytest.approx(
        alone.expected_rewards(context, ask), abs=1e-8
    )
    with pytest.raises(UnsupportedError):
        fresh("neural_linear").merge(*fresh("neural_linear").state())


def test_given_prices_get_the_share_of_their_windows():
    """As a policy over the whole grid, the distribution is the density itself."""
    policy = TRAINED["squarecb"]
    context = np.array([1.0, 0.4, 0.4])
    grid = Candidates(tuple(map(str, PRICES.all)), np.array(PRICES.all)[:, None] / 100)
    rng = np.random.default_rng(0)
    density = policy.density(context, PRICES.all, rng)
    chances = density.at(np.array(PRICES.all, float)) * PRICES.step_cents
    assert policy.distribution(context, grid, rng) == pytest.approx(chances, abs=1e-12)
    few = Candidates(("a", "b", "c"), np.array([[3.0], [12.9], [99.0]]))
    shares = policy.distribution(context, few, rng)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[2] == pytest.approx(0.05 / 3)
    far = Candidates(("a", "b"), np.array([[90.0], [99.0]]))
    assert policy.distribution(context, far, rng).tolist() == [0.5, 0.5]


def test_a_cost_makes_a_given_price_less_likely():
    policy = TRAINED["squarecb"]
    context, rng = np.array([1.0, 0.4, 0.4]), np.random.default_rng(0)
    prices = np.array([[4.0], [9.0]])
    free = policy.distribution(context, Candidates(("a", "b"), prices), rng)
    taxed = Candidates(("a", "b"), prices, np.array([5.0, 0.0]))
    assert policy.distribution(context, taxed, rng)[0] < free[0]


def test_an_explanation_adds_up_to_what_is_expected():
    policy, context = TRAINED["linucb"], np.array([1.0, -0.7, 0.2])
    ask = Candidates(("a", "b"), np.array([[4.0], [9.0]]))
    explanation = policy.explain(context, ask)
    total = explanation.context.sum(axis=1) + explanation.features.sum(axis=1) + explanation.rest
    assert total == pytest.approx(explanation.expected)
    assert explanation.expected == pytest.approx(policy.expected_rewards(context, ask))
    assert (explanation.context.shape, explanation.features.shape) == ((2, N_CONTEXT), (2, 1))
    assert (explanation.deviations > 0).all()


def test_a_challenger_takes_its_share_of_the_density():
    def chooser(epsilon):
        return make_policy("epsilon_greedy", 1, bin_features(N_CONTEXT), epsilon=epsilon)

    mixed = Cats(Mixture(chooser(0.0), chooser(1.0), 0.25), N_CONTEXT, PRICES, floor=0.0)
    mixed.update(rows(np.random.default_rng(0), 60))
    density = mixed.density(np.array([1.0, 0, 0]), PRICES.all, np.random.default_rng(0))
    masses = np.sort(density.masses)
    assert masses[:-1] == pytest.approx(np.full(15, 0.25 / 16))
    assert masses[-1] == pytest.approx(0.75 + 0.25 / 16)


@pytest.mark.parametrize("kind", ["linucb", "lints", "squarecb", "regcb"])
def test_it_learns_the_price_that_each_context_pays(kind):
    """Whoever buys does up to a price that follows from the context: the optimum is known."""
    rng = np.random.default_rng(8)
    policy = fresh(kind, floor=0.02)
    grid = np.array(PRICES.all)
    n_rounds, regrets, of_even_draws = 1_500, [], []
    for _ in range(n_rounds):
        context = np.concatenate(([1.0], rng.uniform(-1, 1, N_CONTEXT - 1)))
        limit = 800 + 300 * context[1] - 150 * context[2]
        revenue = grid / 100 / (1 + np.exp((grid - limit) / 60))
        density = policy.density(context, PRICES.all, rng)
        cents = nearest(PRICES.all, density.draw(rng.random()))
        mean = revenue[PRICES.all.index(cents)]
        bought = rng.random() < mean * 100 / cents
        batch = Batch(
            context[None],
            np.array([[cents / 100]]),
            ("tea",),
            np.array([bought * cents / 100]),
            np.ones(1, np.bool_),
        )
        policy.update(batch)
        regrets.append(revenue.max() - mean)
        of_even_draws.append(revenue.max() - revenue.mean())
    late = slice(n_rounds // 2, None)
    assert np.mean(regrets[late]) < np.mean(of_even_draws[late]) / 3


@pytest.mark.parametrize(
    ("allowed", "rule"),
    [
        (range(0), "must be one or more neighbours out of range(200, 1401, 10)"),
        (range(190, 300, 10), "must be one or more neighbours"),
        (range(200, 300, 20), "must be one or more neighbours"),
        (range(205, 305, 10), "must be one or more neighbours"),
    ],
)
def test_prices_that_cannot_be_drawn_are_refused(allowed, rule):
    with pytest.raises(DecisionError) as caught:
        fresh().density(np.ones(N_CONTEXT), allowed, np.random.default_rng(0))
    assert rule in str(caught.value)


@pytest.mark.parametrize("context", [np.ones(2), np.array([1.0, np.nan, 0.0])])
def test_a_context_that_does_not_fit_is_refused(context):
    with pytest.raises(DecisionError, match="context"):
        fresh().density(context, PRICES.all, np.random.default_rng(0))


def test_a_refused_update_changes_nothing():
    policy = trained()
    before = bits(policy)
    orphan = Batch(
        np.ones((2, N_CONTEXT)),
        np.array([[5.0], [6.0]]),
        ("tea", "tea"),
        np.array([1.0, np.inf]),
        np.ones(2, np.bool_),
    )
    with pytest.raises(BatchError, match=r"rewards\[1\]"):
        policy.update(orphan)
    assert bits(policy) == before


def test_a_state_of_other_bins_is_refused():
    manifest, arrays = trained().state()
    for other in (fresh(n_bins=8), fresh(prices=PriceRange(200, 1_410, 10))):
        with pytest.raises(StateError, match="relearn it from the log"):
            other.load_state(manifest, arrays)
    with pytest.raises(StateError, match="bins is None: must be the state of a policy"):
        fresh().load_state({**manifest, "bins": None}, arrays)


def test_a_policy_over_bins_of_other_dimensions_is_refused():
    with pytest.raises(ParameterError, match="must be 1 and 15, 5 for each of the context"):
        Cats(make_policy("linucb", 3, 15), N_CONTEXT, PRICES)


def test_a_whole_range_is_drawn_by_one_number():
    """What the service does: one draw, the density at it, the probability of its price."""
    policy = TRAINED["squarecb"]
    density = policy.density(np.array([1.0, 0, 0]), PRICES.all, np.random.default_rng(0))
    chances = density.at(np.array(PRICES.all, float)) * PRICES.step_cents
    for u in np.linspace(0, 1, 997, endpoint=False):
        assert nearest(PRICES.all, density.draw(u)) == PRICES.all[draw(chances, u)]


def test_the_summary_is_of_bins():
    policy = trained(n=50)
    assert sum(arm.n for arm in policy.summary()) == 50
    assert {arm.action_id for arm in policy.summary()} <= set(policy.bins.ids)
