"""From a configuration's words to a policy."""

from __future__ import annotations

import pytest

from policy.bandits.build import POLICY_KINDS, make_policy, policy_parameters
from policy.errors import ParameterError


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_a_policy_built_from_its_defaults_is_the_default_policy(kind: str) -> None:
    built = make_policy(kind, 3, 2, **policy_parameters(kind))
    assert built.kind == kind
    assert vars(built).keys() == vars(make_policy(kind, 3, 2)).keys()
    assert built.floor == policy_parameters(kind)["floor"] == 0.01


def test_kinds_are_sorted() -> None:
    assert list(POLICY_KINDS) == sorted(POLICY_KINDS)


def test_own_parameters_come_first() -> None:
    assert list(policy_parameters("lints")) == [
        "alpha",
        "n_samples",
        "floor",
        "prior_shared",
        "prior_action",
        "prior_intercept",
        "half_life",
    ]


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"'LinUCB'.*did you mean 'linucb'\?"):
        make_policy("LinUCB", 3, 2)


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"no parameter 'alfa': did you mean 'alpha'\?"):
        make_policy("linucb", 3, 2, alfa=0.1)
