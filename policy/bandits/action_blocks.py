"""One block of rows for each action, stacked so that all meet the context at once.

The storage under the linear model: which action is where, growth, and gathering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]

PRIOR_SLOT = 0

_NOTHING = ((), np.zeros(0, np.intp))


class ActionBlocks:
    """A growing stack of equal blocks; slot 0 holds the prior's, which unknown actions read.

    Args:
        prior: The block of an action that was never learned, (n_rows, n_context).

    Example:
        >>> blocks = ActionBlocks(np.eye(2))
        >>> blocks.slots_for(["a"])
        [1]
        >>> blocks[1][:] = 3.0
        >>> blocks.products(np.array([1.0, 2.0]), ("new", "a"), 2)
        array([[1., 2.],
               [9., 9.]])
    """

    def __init__(self, prior: Array) -> None:
        self._stack = prior[None].copy()
        self._slots: dict[str, int] = {}
        self._gathered: tuple[tuple[str, ...], npt.NDArray[np.intp]] = _NOTHING

    def __getitem__(self, slot: int) -> Array:
        """The block in a slot, as a view, (n_rows, n_context)."""
        block: Array = self._stack[slot]
        return block

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._slots

    @property
    def action_ids(self) -> tuple[str, ...]:
        """The actions that have a block, in the order of their slots."""
        return tuple(self._slots)

    @property
    def block_shape(self) -> tuple[int, int]:
        """(n_rows, n_context)."""
        _, n_rows, n_context = self._stack.shape
        return n_rows, n_context

    def slots_for(self, action_ids: Sequence[str]) -> list[int]:
        """Where the blocks of these actions are; new ones get a copy of the prior's block."""
        slots = self._slots
        for action_id in action_ids:
            if action_id not in slots:
                self._add(action_id)
        return [slots[action_id] for action_id in action_ids]

    def products(self, x: Array, ids: tuple[str, ...], n_rows: int) -> Array:
        """The first rows of each candidate's block times x.

        Args:
            x: (n_context,).
            ids: (n_actions,).
            n_rows: How many rows.

        Returns:
            A fresh array, (n_actions, n_rows).
        """
        used = len(self._slots) + 1
        gather = self._gather(ids)
        # One small product an action: BLAS starts no threads for them, and an action's score does
        # not depend on its place among the others. Copying blocks costs more than multiplying
        # them, so that candidates that are most of the catalog are picked afterwards.
        if used <= 2 * len(ids) + 8:
            everything: Array = np.matmul(self._stack[:used, :n_rows], x)
            return everything.take(gather, axis=0)
        picked: Array = np.matmul(self._stack[gather, :n_rows], x)
        return picked

    def combined(self, x: Array, ids: tuple[str, ...], weights: Array) -> Array:
        """A weighted sum of those products, without gathering them for every candidate.

        Args:
            x: (n_context,).
            ids: (n_actions,).
            weights: Of the first rows, (n_rows,).

        Returns:
            A fresh array, (n_actions,).

        Example:
            >>> ActionBlocks(np.eye(2)).combined(np.ones(2), ("a",), np.array([1.0, -3.0]))
            array([-2.])
        """
        used, n_rows = len(self._slots) + 1, len(weights)
        gather = self._gather(ids)
        if used <= 2 * len(ids) + 8:
            everything: Array = np.dot(np.matmul(self._stack[:used, :n_rows], x), weights)
            return everything.take(gather, axis=0)
        picked: Array = np.dot(np.matmul(self._stack[gather, :n_rows], x), weights)
        return picked

    def of(self, ids: tuple[str, ...]) -> Array:
        """A copy of each candidate's block, (n_actions, n_rows, n_context)."""
        picked: Array = self._stack[self._gather(ids)]
        return picked

    def learned(self) -> Array:
        """The blocks of all ``action_ids``, as a view, (n, n_rows, n_context)."""
        return self._stack[1 : len(self._slots) + 1]

    def copy_learned(self) -> Array:
        """The blocks of all ``action_ids``, (n, n_rows, n_context)."""
        return self.learned().copy()

    def replace_learned(self, action_ids: Sequence[str], blocks: Array) -> None:
        """Forget all actions and take over these.

        Args:
            action_ids: Distinct, (n,).
            blocks: From ``copy_learned``, (n, n_rows, n_context).
        """
        self._stack = np.concatenate([self._stack[:1], blocks])
        self._slots = {action_id: 1 + i for i, action_id in enumerate(action_ids)}
        self._gathered = _NOTHING

    def _gather(self, ids: tuple[str, ...]) -> npt.NDArray[np.intp]:
        # The decision loop hands over the same tuple again and again.
        if ids is not self._gathered[0]:
            slots = self._slots
            index = [slots.get(action_id, PRIOR_SLOT) for action_id in ids]
            self._gathered = (ids, np.array(index, np.intp))
        return self._gathered[1]

    def _add(self, action_id: str) -> None:
        slot = len(self._slots) + 1
        if slot == len(self._stack):
            grown = np.zeros((2 * slot, *self.block_shape))
            grown[:slot] = self._stack
            self._stack = grown
        self._stack[slot] = self._stack[PRIOR_SLOT]
        self._slots[action_id] = slot
        self._gathered = _NOTHING
