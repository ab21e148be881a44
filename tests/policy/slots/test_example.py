"""The example of docs/slots.md runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from policy.bandits.linucb import LinUCB

PAGE = Path(__file__).parents[3] / "docs" / "slots.md"


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {
        "policy": LinUCB(2, 1),
        "ids": ("new-in", "sale", "tea"),
        "context": np.ones(2),
        "features": np.zeros((3, 1)),
        "rng": np.random.default_rng(0),
    }
    exec(compile(example, str(PAGE), "exec"), names)  # our own page
    assert names["filled"].joint == pytest.approx(1.0 / 3.0 * names["filled"].conditionals[1])
    assert eval("marginals(conditionals)[:, 1]", names).tolist() == pytest.approx([1.0 / 3.0, 0.0])
