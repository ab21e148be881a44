"""The terms under which a state was made: those of a budget or an inventory.

A saved state counts only under the terms that it was folded under.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON


def check_terms(manifest: Mapping[str, JSON], terms: Mapping[str, JSON]) -> None:
    """Refuse a state that was made under other terms.

    Args:
        manifest: As it was saved, with the terms of then.
        terms: Of now.

    Raises:
        StateError: Naming the first term that differs.

    Example:
        >>> check_terms({"units": 5, "sold": 2}, {"units": 5})
    """
    for name, value in terms.items():
        if manifest.get(name) != value:
            rule = f"is {shown(value)} now; fold the log again"
            raise StateError(f"saved {name} is {shown(manifest.get(name))}: {rule}")
