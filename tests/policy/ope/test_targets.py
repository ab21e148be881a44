"""Targets are distributions over what was eligible, the same in any chunks."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.errors import EvaluationError
from policy.ope.log import Decisions
from policy.ope.sample import sample_of
from policy.ope.targets import ByLabel, Constant, Given, Learned, Logged, Uniform
from tests.policy.ope.logs import rows_of, world

LOG = Decisions(
    ("a", "b", "c"),
    np.array([0, 1]),
    np.ones(2),
    np.array([0.5, 1.0]),
    eligible=np.array([[1, 0, 1], [0, 1, 0]], np.bool_),
    labels={"segment": np.array(["new", "loyal"])},
)


def test_ineligible_actions_get_nothing() -> None:
    assert Uniform().probabilities(LOG).tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    assert Constant("c").probabilities(LOG).tolist() == [[0, 0, 1], [0, 1, 0]]
    rule = ByLabel("segment", {"new": "a"}, "b")
    assert rule.probabilities(LOG).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_a_bandit_is_asked_about_the_eligible_only_and_repeats_in_any_chunks() -> None:
    policy = make_policy("lints", 3, 0)
    log = world(40, 1).log
    whole = Learned(policy, seed=4).probabilities(log)
    parts = [
        Learned(policy, seed=4).probabilities(rows_of(log, i, i + 10)) for i in range(0, 40, 10)
    ]
    assert (np.concatenate(parts) == whole).all()
    sample_of(log, whole)
    few = make_policy("epsilon_greedy", 0 + 1, 0)
    narrow = Decisions(
        LOG.actions, LOG.action, LOG.reward, LOG.propensity, np.ones((2, 1)), LOG.eligible
    )
    assert Learned(few).probabilities(narrow)[1].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Constant("d"), "shows 'd', which the log never could: known: a, b, c"),
        (ByLabel("segmnt", {}, "a"), "label 'segmnt', which the log lacks: did you mean 'segment'"),
        (Logged(), "only the probability of what was shown"),
        (Given(np.ones((1, 3))), "given for 1 rows: the log has at least 2"),
        (Learned(make_policy("linucb", 5, 2)), "takes 5 context and 2 pair features"),
    ],
)
def test_what_the_log_cannot_be_asked_is_named(target: object, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        target.probabilities(LOG)  # type: ignore[attr-defined]
