"""What a policy learns from a list: one row for each slot that showed something.

Between the rewards of a list and ``Policy.update``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.base import Batch
from policy.bounds import LARGEST_REWARD, bounded, parameter
from policy.errors import BatchError
from policy.slots.base import EMPTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.slots.asked import View

Array = npt.NDArray[np.float64]


def shared_evenly(reward: float, chosen: Sequence[int]) -> Array:
    """One reward of a whole list as a reward for each slot.

    Each slot that shows something gets an equal part, so that what the policy expects of the slots
    adds up to what it expects of the list.

    Args:
        reward: Of the list.
        chosen: Place of each slot's action, (n_slots,); -1 for none, which gets 0.

    Returns:
        (n_slots,).

    Raises:
        ParameterError: The reward is no finite number.

    Example:
        >>> shared_evenly(3.0, (4, 0, -1))
        array([1.5, 1.5, 0. ])
    """
    parameter("reward", abs(reward), 0.0, LARGEST_REWARD)
    shown = np.array([choice != EMPTY for choice in chosen], np.float64)
    shown *= reward / max(1.0, shown.sum())
    return shown


def rows_of(chosen: Sequence[int], views: Sequence[View], rewards: npt.ArrayLike) -> Batch:
    """The rows to learn: each slot's action, as the policy saw it there, with its reward.

    The slots are taken to be independent: what an action earns in one is taken to depend on the
    slot's features alone, not on its neighbours. Where it does, say so in the features.

    Args:
        chosen: Place of each slot's action, (n_slots,); -1 for none, which teaches nothing.
        views: One for all slots, or one for each.
        rewards: Of each slot, (n_slots,).

    Raises:
        BatchError: Rewards or views for another number of slots.

    Example:
        >>> from policy.base import Candidates
        >>> from policy.slots.asked import View
        >>> view = View(np.ones(1), Candidates(("a", "b"), np.zeros((2, 0))))
        >>> rows_of((1, 0, -1), [view], [1.0, 0.0, 0.0]).action_ids
        ('b', 'a')
    """
    earned = bounded("rewards", rewards, (len(chosen),), LARGEST_REWARD, BatchError)
    if len(views) not in {1, len(chosen)}:
        raise BatchError(f"{len(views)} views: must be 1, or {len(chosen)} as the slots")
    shown = [slot for slot, choice in enumerate(chosen) if choice != EMPTY]
    seen = [views[slot if len(views) > 1 else 0] for slot in shown]
    places = [chosen[slot] for slot in shown]
    n_context, n_shared = views[0].context.shape[0], views[0].candidates.features.shape[1]
    contexts = np.array([view.context for view in seen])
    features = np.array(
        [view.candidates.features[place] for view, place in zip(seen, places, strict=True)]
    )
    return Batch(
        contexts.reshape(len(shown), n_context),
        features.reshape(len(shown), n_shared),
        tuple(view.candidates.ids[place] for view, place in zip(seen, places, strict=True)),
        earned[shown],
        np.ones(len(shown), np.bool_),
    )
