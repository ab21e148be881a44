"""Whether what training needs is there."""

from __future__ import annotations

import importlib.util

from policy.errors import UnsupportedError


def require_train() -> None:
    """Nothing, where torch and stable-baselines3 are installed.

    Raises:
        UnsupportedError: One is not; the message names the command that installs it.
    """
    for package in ("torch", "stable_baselines3"):
        if importlib.util.find_spec(package) is None:
            raise UnsupportedError(f"{package} is not installed: pip install 'segue[train]'")
