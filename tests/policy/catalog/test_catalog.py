"""A catalog finds its actions and says what it cannot find."""

from __future__ import annotations

import pytest

from policy.catalog.action import Action
from policy.catalog.catalog import Catalog
from policy.errors import CatalogError

CATALOG = Catalog(Action(name, "content") for name in ("shoes", "hats", "coats"))


def test_it_keeps_its_order() -> None:
    assert CATALOG.ids == ("shoes", "hats", "coats")
    assert [action.id for action in CATALOG] == ["shoes", "hats", "coats"]
    assert len(CATALOG) == 3
    assert "hats" in CATALOG


def test_a_subset_comes_in_the_order_asked_for() -> None:
    assert [action.id for action in CATALOG.subset(["coats", "shoes"])] == ["coats", "shoes"]


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"unknown action 'coat': did you mean 'coats'\?"):
        CATALOG.subset(["shoes", "coat"])


@pytest.mark.parametrize("ids", [(), ("a", "b", "a")])
def test_empty_and_ambiguous_catalogs_are_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(CatalogError):
        Catalog(Action(action_id, "offer") for action_id in ids)


def test_an_id_asked_for_twice_is_refused() -> None:
    with pytest.raises(CatalogError, match="asked for twice"):
        CATALOG.subset(["hats", "hats"])
