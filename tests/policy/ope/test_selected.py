"""Targets that were trained on other columns than the log has, and networks."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.base import Candidates
from policy.errors import EvaluationError
from policy.ope.log import Decisions
from policy.ope.networked import Networked
from policy.ope.progressive import batch_of
from policy.ope.selected import Selected, columns
from policy.ope.targets import Learned
from policy.ppo.network import untrained
from policy.ppo.policy import PPOPolicy

RNG = np.random.default_rng(0)
ELIGIBLE = RNG.random((40, 3)) < 0.6
ELIGIBLE[:, 0] |= ~ELIGIBLE.any(axis=1)
LOG = Decisions(
    ("a", "b", "c"),
    ELIGIBLE.argmax(axis=1),
    RNG.random(40),
    np.full(40, 0.5),
    RNG.normal(size=(40, 4)),
    eligible=ELIGIBLE,
    features=RNG.normal(size=(40, 3, 3)).astype(np.float32),
)


def test_a_policy_sees_its_own_columns_in_its_own_order() -> None:
    own = Decisions(
        LOG.actions, LOG.action, LOG.reward, LOG.propensity, LOG.context[:, [3, 1]],
        eligible=ELIGIBLE, features=None if LOG.features is None else LOG.features[:, :, [2]],
    )  # fmt: skip
    policy = make_policy("softmax", 2, 1)
    policy.update(batch_of(own))
    selected = Selected(Learned(policy), (3, 1), (2,))
    np.testing.assert_array_equal(selected.probabilities(LOG), Learned(policy).probabilities(own))


def test_a_feature_that_the_log_lacks_is_named() -> None:
    assert columns(("y", "x"), ("x", "y"), "context") == (1, 0)
    with pytest.raises(EvaluationError, match="'baskett', which the log lacks: did you mean"):
        columns(("baskett",), ("basket", "hour"), "context")


def test_a_network_is_judged_as_it_is_served() -> None:
    network = untrained(("p", "q", "r", "s"), ("c", "b", "a"), np.random.default_rng(1))
    policy = PPOPolicy(network, None, 3, floor=0.05)
    found = Networked(network, floor=0.05).probabilities(LOG)
    for row in range(LOG.n_rows):
        places = np.flatnonzero(ELIGIBLE[row])
        ids = tuple(LOG.actions[place] for place in places)
        candidates = Candidates(ids, np.zeros((len(ids), 3)))
        served = policy.distribution(LOG.context[row], candidates, np.random.default_rng(0))
        np.testing.assert_allclose(found[row, places], served, rtol=1e-5)
        assert found[row].sum() == pytest.approx(1.0)


def test_a_network_never_shows_what_it_does_not_know_unless_it_knows_nothing() -> None:
    network = untrained(("p", "q", "r", "s"), ("b", "z"), np.random.default_rng(1))
    found = Networked(network, floor=0.0).probabilities(LOG)
    for row, eligible in enumerate(ELIGIBLE):
        wanted = np.array([0.0, 1.0, 0.0]) if eligible[1] else eligible / eligible.sum()
        np.testing.assert_allclose(found[row], wanted)
    other = untrained(("p", "q", "r", "s"), ("y", "z"), np.random.default_rng(1))
    with pytest.raises(EvaluationError, match="another catalog"):
        Networked(other).probabilities(LOG)
