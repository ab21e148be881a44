"""An action checks itself."""

from __future__ import annotations

from typing import Any

import pytest

from policy.catalog.action import ACTION_KINDS, Action
from policy.errors import CatalogError


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS))
def test_every_kind_can_be_made(kind: str) -> None:
    fields = ('{"title": "Ähm"}', "shoes", "Acme", (("margin", 0.3), ("rank", 2)), "push", 990, 300)
    assert Action("a", kind, *fields) == Action("a", kind, *fields)


def spoiled(**changes: Any) -> dict[str, Any]:
    return {"id": "tile", "kind": "content"} | changes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (spoiled(id=""), "action id is '': must be 1 to 200 printable"),
        (spoiled(id="x" * 201), "must be 1 to 200 printable"),
        (spoiled(id="a\x00"), "must be 1 to 200 printable"),
        (spoiled(id="\ud800"), "must be 1 to 200 printable"),
        (spoiled(id=7), "action id is 7"),
        (spoiled(kind="banner"), "action 'tile': kind is 'banner': must be one of content,"),
        (spoiled(kind=["offer"]), "kind is"),
        (spoiled(category=""), "category is ''"),
        (spoiled(brand=5), "brand is 5"),
        (spoiled(payload="{"), "payload is '{': must be JSON"),
        (spoiled(payload="NaN"), "NaN is not a JSON number"),
        (spoiled(payload="[" * 50_000), "payload"),
        (spoiled(payload=" " * 100_001), "at most 100000 characters"),
        (spoiled(payload={"a": 1}), "payload"),
        (spoiled(features=(("a", 1.0), ("a", 2.0))), "must have distinct names"),
        (spoiled(features=(("a", float("nan")),)), "feature 'a' is nan: must be a finite number"),
        (spoiled(features=(("a", float("inf")),)), "must be a finite number"),
        (spoiled(features=(("a", 10**5_000),)), "must be a finite number"),
        (spoiled(features=(("a", "red"),)), "must be a finite number"),
        (spoiled(features=(("a", True),)), "must be a finite number"),
        (spoiled(features=(("", 1.0),)), "feature name is ''"),
        (spoiled(features=(([], 1.0),)), "feature name is []"),
        (spoiled(features=("ab",)), "must be a pair of name and value"),
        (spoiled(features={"a": 1.0}), "pairs"),
        (spoiled(kind="price"), "price_cents is None: a price needs one, in minor units"),
        (spoiled(kind="message"), "channel is None: a message needs one of email, push,"),
        (spoiled(channel="fax"), "channel is 'fax': must be one of email, push, sms, onsite"),
        (spoiled(channel=["email"]), "channel is ['email']"),
        (spoiled(price_cents=9.9), "price_cents is 9.9: must be whole cents from 0 to"),
        (spoiled(price_cents=True), "price_cents is True"),
        (spoiled(cost_cents=-1), "cost_cents is -1"),
        (spoiled(price_of=""), "price_of is ''"),
        (spoiled(features=tuple((f"f{i}", 0.0) for i in range(201))), "must be at most 200"),
    ],
)
def test_an_impossible_action_is_refused_with_the_reason(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError) as caught:
        Action(**fields)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500
