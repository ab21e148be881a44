"""Messages stay short and helpful whatever the value."""

from __future__ import annotations

import pytest

from policy.errors import ContextError, shown, suggestion


@pytest.mark.parametrize(
    "value",
    ["x" * 1_000_000, ["y" * 50] * 1_000, [10**5_000], 10**5_000, "\ud800\x00"],
    ids=["long text", "long list", "list of a long integer", "long integer", "unprintable text"],
)
def test_any_value_is_shown_short_and_printable(value: object) -> None:
    text = shown(value)
    assert len(text) < 100
    assert text.isprintable()


def test_a_suggestion_survives_hostile_names() -> None:
    assert len(suggestion("a" * 1_000_000, [f"name-{i}" for i in range(10_000)])) < 1_000


def test_an_error_carries_its_parts() -> None:
    error = ContextError("cart", -1, "must be positive")
    assert (error.field, error.value, error.rule) == ("cart", -1, "must be positive")
