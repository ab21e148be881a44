"""The examples in the room's docstrings and in its page run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import segments

MODULES = [
    module.name
    for module in pkgutil.walk_packages(segments.__path__, "segments.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, extraglobs={"np": np})
    assert failed == 0


def test_the_examples_of_the_page_run_one_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = Path(__file__).parents[2] / "docs" / "segments.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
    said = capsys.readouterr().out
    assert "s1 60" in said
    assert "k=2 knows most about the future" in said
    assert "0.0 0.025 5" in said
    assert "True\naway time 2026-03-31 12:00:00" in said
