"""The contract of a list: slots, what each may show, and draws whose probability is exact.

Between a policy, which distributes one choice, and the decision loop, which shows and logs a list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.base import draw
from policy.errors import DecisionError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MOST_SLOTS = 50
"""With 10,000 candidates and a floor of 1 %, the least joint probability is still above 1e-300."""

EMPTY = -1
"""The place of an action in a slot that shows none."""

NOTHING_LEFT = "no eligible action is left"


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a list.

    Args:
        name: Distinct in its list.
        excluded: Ids that are never drawn for this slot; ids of no candidate are no matter.
        baseline: Id of the candidate that is shown with probability 1 when nothing eligible is
            left and the list does not show it already. It may be excluded from the draw.

    Example:
        >>> Slot("top", excluded=frozenset({"newsletter"})).baseline is None
        True
    """

    name: str
    excluded: frozenset[str] = frozenset()
    baseline: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Slots beside candidates.

    Args:
        names: Of the slots, (n_slots,), in the order in which they are filled.
        ids: Of the candidates, (n_actions,).
        eligible: What may be drawn for which slot, (n_slots, n_actions).
        baselines: Place of each slot's baseline among the candidates, (n_slots,); -1 for none.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    eligible: Mask
    baselines: tuple[int, ...]

    @classmethod
    def of(cls, slots: Sequence[Slot], ids: tuple[str, ...]) -> Plan:
        """The plan of these slots.

        Args:
            slots: 1 to 50.
            ids: Distinct.

        Raises:
            DecisionError: No slots or too many, a name twice, a baseline that is no candidate.

        Example:
            >>> Plan.of([Slot("top", frozenset("b")), Slot("side")], ("a", "b")).eligible
            array([[ True, False],
                   [ True,  True]])
        """
        names = tuple(slot.name for slot in slots)
        if not 1 <= len(names) <= MOST_SLOTS:
            raise DecisionError(f"{len(names)} slots: must be 1 to {MOST_SLOTS}")
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise DecisionError(f"slot {shown(twice)} is there twice: names must be distinct")
        eligible = np.ones((len(names), len(ids)), np.bool_)
        for row, slot in zip(eligible, slots, strict=True):
            if slot.excluded:
                row[:] = [name not in slot.excluded for name in ids]
        return cls(names, ids, eligible, tuple(_baseline(slot, ids) for slot in slots))

    def held_out(self) -> Plan:
        """The plan of the control group: every slot shows its baseline, or stays empty."""
        return replace(self, eligible=np.zeros_like(self.eligible))

    @property
    def shown(self) -> Mask:
        """What may be drawn for any slot, (n_actions,)."""
        anywhere: Mask = np.logical_or.reduce(self.eligible, axis=0)
        return anywhere

    @property
    def uniform(self) -> bool:
        """Whether every slot may show the same."""
        return bool((self.eligible == self.eligible[0]).all())


def _baseline(slot: Slot, ids: tuple[str, ...]) -> int:
    if slot.baseline is None:
        return EMPTY
    if slot.baseline not in ids:
        raise DecisionError(
            f"slot {shown(slot.name)}: baseline {shown(slot.baseline)} is no candidate: "
            f"{suggestion(slot.baseline, ids)}"
        )
    return ids.index(slot.baseline)


class Conditionals(ABC):
    """The probability of each action in each slot, given what the slots before it show.

    Their products are the probabilities of lists. Nothing here is drawn: asked twice for the same,
    they answer the same.

    Args:
        plan: Slots and candidates.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def given(self, slot: int, taken: Mask) -> Array:
        """The distribution of one slot.

        Args:
            slot: Its place.
            taken: What the list shows already, (n_actions,).

        Returns:
            (n_actions,): sums to 1, and to 0 when the slot stays empty. Exactly 0 for what is taken
            or not eligible, but for a baseline where nothing is left.
        """
        left = self.plan.eligible[slot] & ~taken
        return self._over(slot, left) if left.any() else self._fallback(slot, taken)

    def _fallback(self, slot: int, taken: Mask) -> Array:
        probabilities = np.zeros(len(taken))
        baseline = self.plan.baselines[slot]
        if baseline != EMPTY and not taken[baseline]:
            probabilities[baseline] = 1.0
        return probabilities

    @abstractmethod
    def _over(self, slot: int, left: Mask) -> Array:
        """Probabilities of what is left, (n_actions,): at least one; 0 for the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class FilledList:
    """A list that was drawn, with all that the log needs.

    Args:
        chosen: Place of each slot's action among the candidates, (n_slots,); -1 for none.
        distributions: What each slot was drawn from, (n_slots, n_actions).
        conditionals: Probability of each choice given those before it, (n_slots,); 1 for none.
        reasons: Why a slot shows its baseline or nothing, (n_slots,); None where it was drawn.
    """

    chosen: tuple[int, ...]
    distributions: Array
    conditionals: Array
    reasons: tuple[str | None, ...]

    @property
    def joint(self) -> float:
        """The probability of the whole list: the product of the conditionals."""
        return float(self.conditionals.prod())


def fill(conditionals: Conditionals, rng: np.random.Generator) -> FilledList:
    """Draw a list, slot by slot.

    Args:
        conditionals: What to draw from.
        rng: One uniform number is taken from it for each slot that shows something.

    Example:
        >>> from policy.slots.layers import Layers
        >>> plan = Plan.of([Slot("top"), Slot("side"), Slot("foot")], ("a", "b"))
        >>> filled = fill(Layers(plan, [0, 0], [3.0, 1.0]), np.random.default_rng(0))
        >>> filled.chosen, filled.joint, filled.reasons
        ((0, 1, -1), 0.75, (None, None, 'no eligible action is left'))
    """
    plan = conditionals.plan
    n_slots, n_actions = plan.eligible.shape
    taken = np.zeros(n_actions, np.bool_)
    distributions = np.zeros((n_slots, n_actions))
    shares = np.ones(n_slots)
    chosen: list[int] = []
    reasons: list[str | None] = []
    for slot in range(n_slots):
        probabilities = distributions[slot] = conditionals.given(slot, taken)
        choice = draw(probabilities, rng.random()) if probabilities.any() else EMPTY
        drawn = choice != EMPTY and plan.eligible[slot, choice]
        if choice != EMPTY:
            taken[choice] = True
            shares[slot] = probabilities[choice]
        chosen.append(choice)
        reasons.append(None if drawn else NOTHING_LEFT)
    return FilledList(tuple(chosen), distributions, shares, tuple(reasons))


def conditionals_of(conditionals: Conditionals, chosen: Sequence[int]) -> Array:
    """The probability of each choice of any list, given those before it.

    What evaluates another policy on a logged list: the product is the list's joint probability.

    Args:
        conditionals: Of the policy to ask.
        chosen: Places among the candidates, (n_slots,); -1 for a slot that stays empty.

    Returns:
        (n_slots,); 0 from the first choice that cannot be.

    Raises:
        DecisionError: Another number of slots, or a place that no candidate has.

    Example:
        >>> from policy.slots.layers import Layers
        >>> plan = Plan.of([Slot("top"), Slot("side")], ("a", "b", "c"))
        >>> conditionals_of(Layers(plan, [0, 0, 0], [2.0, 1.0, 1.0]), (1, 0))
        array([0.25      , 0.66666667])
    """
    n_slots, n_actions = conditionals.plan.eligible.shape
    if len(chosen) != n_slots or not all(EMPTY <= choice < n_actions for choice in chosen):
        raise DecisionError(
            f"list {shown(tuple(chosen))}: must be {n_slots} places from -1 to {n_actions - 1}"
        )
    shares = np.zeros(n_slots)
    taken = np.zeros(n_actions, np.bool_)
    for slot, choice in enumerate(chosen):
        probabilities = conditionals.given(slot, taken)
        if choice != EMPTY:
            shares[slot] = probabilities[choice]
            taken[choice] = True
        elif not probabilities.any():
            shares[slot] = 1.0
        if not shares[slot]:
            break
    return shares
