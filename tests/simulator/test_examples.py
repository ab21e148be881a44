"""The examples in the room's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil

import numpy as np
import pytest

import simulator

MODULES = [
    module.name
    for module in pkgutil.walk_packages(simulator.__path__, "simulator.")
    if not module.ispkg
]
NEEDS = {"simulator.dynamics.compiled": "numba", "simulator.single_compiled": "numba"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="needs pip install 'segue[train]'")
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs={"np": np})
    assert failed == 0
