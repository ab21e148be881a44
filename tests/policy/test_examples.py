"""The examples in the room's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import policy

MODULES = [
    module.name for module in pkgutil.walk_packages(policy.__path__, "policy.") if not module.ispkg
]


NEEDS_TRAIN = ("policy.ppo.masked", "policy.ppo.train", "policy.ppo.vec_env")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    if name in NEEDS_TRAIN:
        pytest.importorskip("torch", reason="needs pip install 'segue[train]'")
        pytest.importorskip("stable_baselines3", reason="needs pip install 'segue[train]'")
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, extraglobs={"np": np})
    assert failed == 0
