"""The pages on simulated shoppers and on PPO: complete, and their examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.dynamics.effects import MECHANISMS, Effects
from simulator.scenarios.scenario import load_world, scenario_names

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["simulator.md", "ppo.md"])
def test_examples_run(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


def test_every_world_is_described() -> None:
    text = (DOCS / "simulator.md").read_text()
    for name in scenario_names():
        assert f"| `{name}` |" in text
        assert load_world(name).version == 1


def test_every_mechanism_changes_effects_that_exist() -> None:
    for changes in MECHANISMS.values():
        assert set(changes) <= set(Effects._fields)
