from __future__ import annotations

import importlib.util

import pytest

from policy.errors import UnsupportedError
from policy.ppo.installed import require_train


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UnsupportedError, match=r"torch is not installed: pip install 'segue\[train\]'"
    ):
        require_train()
