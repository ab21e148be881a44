"""All the actions that one placement can choose from.

Between the configuration and the decision loop, which asks for the eligible ones by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import CatalogError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy.catalog.action import Action


class Catalog:
    """Actions under distinct ids, in their given order.

    Args:
        actions: At least one.

    Raises:
        CatalogError: No action, or an id twice.

    Example:
        >>> from policy.catalog.action import Action
        >>> catalog = Catalog([Action("a", "offer"), Action("b", "content")])
        >>> catalog.ids, catalog["b"].kind
        (('a', 'b'), 'content')
    """

    __slots__ = ("_by_id", "actions", "ids")

    def __init__(self, actions: Iterable[Action]) -> None:
        self.actions = tuple(actions)
        self.ids = tuple(action.id for action in self.actions)
        self._by_id = {action.id: action for action in self.actions}
        if not self.ids:
            raise CatalogError("a catalog needs at least one action")
        if len(self._by_id) != len(self.ids):
            twice = next(i for n, i in enumerate(self.ids) if i in self.ids[:n])
            raise CatalogError(f"action id {shown(twice)} is there twice: ids must be distinct")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._by_id

    def __getitem__(self, action_id: str) -> Action:
        action = self._by_id.get(action_id)
        if action is None:
            raise CatalogError(
                f"unknown action {shown(action_id)}: {suggestion(str(action_id), self._by_id)}"
            )
        return action

    def subset(self, action_ids: Iterable[str]) -> tuple[Action, ...]:
        """The actions of these ids, in the order asked for.

        Raises:
            CatalogError: An id is unknown (the nearest is named) or asked for twice.

        Example:
            >>> from policy.catalog.action import Action
            >>> [a.id for a in Catalog([Action("a", "offer"), Action("b", "offer")]).subset(["b"])]
            ['b']
        """
        ids = tuple(action_ids)
        if len(set(ids)) != len(ids):
            raise CatalogError("an action id is asked for twice: ids must be distinct")
        return tuple(self[action_id] for action_id in ids)
