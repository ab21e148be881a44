"""What the bake-off asks of a learner, and how one is named and made.

Where it stands: between the pass over the rounds and the adapters.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Contexts = npt.NDArray[np.float64]


class Choice(NamedTuple):
    """An action, and the probability with which it was drawn (1 where the learner does not say)."""

    action: int
    propensity: float


class Learner(Protocol):
    """One adapter around one learner in one setting. A fresh one for every pass."""

    def prepare(self, contexts: Contexts) -> Sequence[Any]:
        """The rounds in the form that suits the learner best. Not timed.

        Args:
            contexts: Without a constant, (n_rounds, n_features).
        """

    def choose(self, context: Any) -> Choice:
        """The action for one of the prepared contexts."""

    def learn(self, context: Any, choice: Choice, reward: float) -> None:
        """What the choice earned."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A learner with its parameters: one row of the bake-off.

    Args:
        name: Unique, as ``family-explorer-parameter``.
        family: Whose best setting on each set is what ours is compared with.
        make: From n_features, n_actions and seed.
        package: What must be installed, as it is imported; None for what comes with the project.
        slow: Tens of times slower than the others, so it runs on fewer seeds.
    """

    name: str
    family: str
    make: Callable[[int, int, int], Learner]
    package: str | None = None
    slow: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its package is there."""
        return self.package is None or importlib.util.find_spec(self.package) is not None


def with_constant(contexts: Contexts) -> Contexts:
    """The contexts with a leading 1."""
    return np.column_stack([np.ones(len(contexts)), contexts])
