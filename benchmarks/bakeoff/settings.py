"""Every learner of the bake-off in every setting.

Where it stands: what `--learners` chooses from. A new peer joins with its module's name here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from benchmarks.bakeoff import (
    bayesian_bandits,
    contextual_bandits,
    gittins,
    mabwiser,
    ours,
    ridge,
    vowpal_wabbit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bakeoff.learner import Setting

MODULES = (
    ours,
    ridge,
    vowpal_wabbit,
    mabwiser,
    bayesian_bandits,
    gittins,
    contextual_bandits,
)
SETTINGS: tuple[Setting, ...] = tuple(setting for module in MODULES for setting in module.SETTINGS)


def chosen(patterns: Sequence[str]) -> tuple[Setting, ...]:
    """The settings whose name or family fits one of the patterns (`*` for anything).

    Raises:
        ValueError: A pattern that fits none.
    """
    for pattern in patterns:
        if not any(_fits(setting, pattern) for setting in SETTINGS):
            names = ", ".join(sorted({setting.family for setting in SETTINGS}))
            raise ValueError(f"no learner fits {pattern!r}: families are {names}")
    return tuple(s for s in SETTINGS if any(_fits(s, pattern) for pattern in patterns))


def _fits(setting: Setting, pattern: str) -> bool:
    return fnmatchcase(setting.name, pattern) or fnmatchcase(setting.family, pattern)
