"""The examples in the room's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import policy
from policy.errors import UnsupportedError

MODULES = [
    module.name for module in pkgutil.walk_packages(policy.__path__, "policy.") if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except UnsupportedError as missing:
        pytest.skip(str(missing))  # as a user is told: an extra, and the command that installs it
    failed, _ = doctest.testmod(module, extraglobs={"np": np})
    assert failed == 0
