"""Why a policy expects what it expects: each candidate's score taken apart.

Beside ``Policy.explain``; what a person reads of a decision is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The expected reward of each candidate as a sum over features.

        expected = context.sum(axis=1) + features.sum(axis=1) + rest

    Args:
        ids: (n_actions,).
        expected: Expected rewards, (n_actions,); of a policy for 0/1 rewards, their log-odds.
        deviations: How unsure the policy is of each, as a standard deviation; NaN where it does
            not know, (n_actions,).
        context: What each context entry adds, (n_actions, n_context).
        features: What each pair feature adds, (n_actions, n_shared).
        rest: What no single feature accounts for, such as a non-linear part, (n_actions,).
    """

    ids: tuple[str, ...]
    expected: Array
    deviations: Array
    context: Array
    features: Array
    rest: Array

    def largest(
        self,
        action_id: str,
        context_names: Sequence[str],
        feature_names: Sequence[str],
        n: int = 5,
    ) -> list[tuple[str, float]]:
        """The contributions to one candidate that are furthest from 0, the largest first.

        Args:
            action_id: One of ``ids``.
            context_names: Names of the context's entries, (n_context,).
            feature_names: Names of the pair features, (n_shared,).
            n: How many, at most.

        Raises:
            ValueError: The action is none of the candidates.

        Example:
            >>> explanation = Explanation(
            ...     ("a",), np.array([0.7]), np.array([0.1]), np.array([[0.5, -0.1]]),
            ...     np.array([[0.3]]), np.zeros(1),
            ... )
            >>> explanation.largest("a", ("intercept", "recency"), ("discount",), 2)
            [('intercept', 0.5), ('discount', 0.3)]
        """
        row = self.ids.index(action_id)
        names = (*context_names, *feature_names, "rest")
        values = [*self.context[row].tolist(), *self.features[row].tolist(), float(self.rest[row])]
        found = sorted(zip(names, values, strict=True), key=lambda pair: -abs(pair[1]))
        return [pair for pair in found[:n] if pair[1]]
