"""A target that knows only some of a log's features: a model from another day, or the simulator.

Between the log, which holds what its service saw, and a policy that was trained on other columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.errors import EvaluationError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.ope.log import Array, Decisions
    from policy.ope.targets import Target


@dataclass(frozen=True, slots=True)
class Selected:
    """A target that is shown some columns of the log, in its own order.

    Args:
        target: Decides.
        context: Positions in the log's context.
        features: Positions in the log's pair features; None where the target looks at none.

    Example:
        >>> import numpy as np
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.targets import Uniform
        >>> log = Decisions(("a",), np.array([0]), np.ones(1), np.ones(1), np.ones((1, 3)))
        >>> Selected(Uniform(), (2, 0)).probabilities(log)
        array([[1.]])
    """

    target: Target
    context: tuple[int, ...]
    features: tuple[int, ...] | None = None

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        pairs = log.features
        if pairs is not None:
            pairs = None if self.features is None else pairs[:, :, list(self.features)]
        own = replace(log, context=log.context[:, list(self.context)], features=pairs)
        return self.target.probabilities(own)


def columns(wanted: Sequence[str], present: Sequence[str], what: str) -> tuple[int, ...]:
    """Where a policy's features stand among the log's.

    Args:
        wanted: The policy's.
        present: The log's.
        what: Of what they are, for the message.

    Raises:
        EvaluationError: The log lacks one; the nearest is named.

    Example:
        >>> columns(("b",), ("a", "b"), "context")
        (1,)
    """
    place_of = {name: place for place, name in enumerate(present)}
    for name in wanted:
        if name not in place_of:
            raise EvaluationError(
                f"the policy needs the {what} feature {shown(name)}, which the log lacks: "
                f"{suggestion(name, place_of)}"
            )
    return tuple(place_of[name] for name in wanted)
