"""Target policies: what would be shown instead, as probabilities of every row's actions.

In front of the samples: whatever can be asked for a distribution can be evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from policy.base import Candidates
from policy.errors import EvaluationError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.base import Policy
    from policy.ope.log import Array, Bools, Decisions


class Target(Protocol):
    """A policy to evaluate. Implementations keep nothing of the rewards that they are judged by."""

    def probabilities(self, log: Decisions) -> Array:
        """Of every action, (n, n_actions); 0 for what was not eligible."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every eligible action alike.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1))
        >>> Uniform().probabilities(log)
        array([[0.5, 0.5]])
    """

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        return _even(log.could_show)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always one action; every eligible one alike where that is not eligible.

    Args:
        action: Its id.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1))
        >>> Constant("b").probabilities(log)
        array([[0., 1.]])
    """

    action: str

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        return _only(log, np.full(log.n_rows, position_of(log, self.action)))


@dataclass(frozen=True, slots=True)
class ByLabel:
    """A targeting rule: an action for each value of a label.

    Args:
        label: Name of the label, such as ``segment``.
        actions: Id of the action of each value.
        otherwise: Id of the action of any other value.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0, 0]), np.ones(2), np.ones(2),
        ...                 labels={"segment": np.array(["new", "loyal"])})
        >>> ByLabel("segment", {"new": "b"}, "a").probabilities(log)
        array([[0., 1.],
               [1., 0.]])
    """

    label: str
    actions: Mapping[str, str]
    otherwise: str

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        if self.label not in log.labels:
            raise EvaluationError(
                f"the policy needs the label {shown(self.label)}, which the log lacks: "
                f"{suggestion(self.label, log.labels)}"
            )
        of_value = {value: position_of(log, action) for value, action in self.actions.items()}
        otherwise = position_of(log, self.otherwise)
        values = log.labels[self.label]
        wanted = np.array([of_value.get(str(value), otherwise) for value in values], np.int64)
        return _only(log, wanted)


@dataclass(frozen=True, slots=True)
class Logged:
    """The policy that wrote the log, where the log holds its whole distribution.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a",), np.array([0]), np.ones(1), np.ones(1), logging=np.ones((1, 1)))
        >>> Logged().probabilities(log)
        array([[1.]])
    """

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        if log.logging is None:
            raise EvaluationError(
                "the log holds only the probability of what was shown: what the logging policy "
                "earned is the mean reward"
            )
        return log.logging


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Probabilities that were worked out elsewhere, for every row of the log.

    Args:
        table: (n_rows of the whole log, n_actions).

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1), first_row=1)
        >>> Given(np.array([[0.5, 0.5], [0.1, 0.9]])).probabilities(log)
        array([[0.1, 0.9]])
    """

    table: Array

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        rows = self.table[log.first_row : log.first_row + log.n_rows]
        if len(rows) < log.n_rows:
            raise EvaluationError(
                f"probabilities are given for {len(self.table)} rows: the log has at least "
                f"{log.first_row + log.n_rows}"
            )
        return rows


@dataclass(frozen=True, slots=True)
class Column:
    """Probabilities that the log carries along.

    Args:
        name: Under which ``Decisions.targets`` has them.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1),
        ...                 targets={"new": np.array([[0.2, 0.8]])})
        >>> Column("new").probabilities(log)
        array([[0.2, 0.8]])
    """

    name: str

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        if self.name not in log.targets:
            raise EvaluationError(
                f"the log has no probabilities of a policy {shown(self.name)}: "
                f"{suggestion(self.name, log.targets)}"
            )
        return log.targets[self.name]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A bandit policy as it stands: nothing is learned while it is evaluated.

    Args:
        policy: Takes contexts of the log's width with an intercept of its own if it needs one.
        seed: Each row's draws come from this and the row's number, whatever the chunks.

    Example:
        >>> from policy.bandits.build import make_policy
        >>> from policy.ope.log import Decisions
        >>> policy = make_policy("epsilon_greedy", 1, 0, epsilon=1.0)
        >>> log = Decisions(("a", "b"), np.array([0]), np.ones(1), np.ones(1), np.ones((1, 1)))
        >>> Learned(policy).probabilities(log)
        array([[0.5, 0.5]])
    """

    policy: Policy
    seed: int = field(default=0)

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        check_sizes(self.policy, log)
        chosen = np.zeros((log.n_rows, log.n_actions))
        could_show = log.could_show
        for row in range(log.n_rows):
            eligible = np.flatnonzero(could_show[row])
            rng = np.random.default_rng((self.seed, log.first_row + row))
            chosen[row, eligible] = self.policy.distribution(
                log.context[row], candidates_of(log, row, eligible), rng
            )
        return chosen


def candidates_of(log: Decisions, row: int, eligible: np.ndarray) -> Candidates:
    """The candidates of one row, as a policy takes them."""
    ids = tuple(log.actions[position] for position in eligible)
    if log.features is None:
        return Candidates(ids, np.zeros((len(ids), 0)))
    return Candidates(ids, log.features[row, eligible])


def check_sizes(policy: Policy, log: Decisions) -> None:
    """Refuse a policy that needs other features than the log has.

    Raises:
        EvaluationError: It names both.
    """
    n_shared = 0 if log.features is None else log.features.shape[2]
    if (policy.n_context, policy.n_shared) != (log.context.shape[1], n_shared):
        raise EvaluationError(
            f"the policy takes {policy.n_context} context and {policy.n_shared} pair features: the "
            f"log has {log.context.shape[1]} and {n_shared}"
        )


def position_of(log: Decisions, action: str) -> int:
    """Where an action stands in the log's vocabulary.

    Raises:
        EvaluationError: It is none of the log's; the nearest is named.
    """
    if action not in log.actions:
        raise EvaluationError(
            f"the policy shows {shown(action)}, which the log never could: "
            f"{suggestion(action, log.actions)}"
        )
    return log.actions.index(action)


def _even(could_show: Bools) -> Array:
    if could_show.all():
        return np.full(could_show.shape, 1.0 / could_show.shape[1])
    even: Array = could_show / could_show.sum(axis=1, keepdims=True)
    return even


def _only(log: Decisions, wanted: np.ndarray) -> Array:
    could_show = log.could_show
    alone = np.zeros((log.n_rows, log.n_actions))
    alone[np.arange(log.n_rows), wanted] = 1.0
    possible = could_show[np.arange(log.n_rows), wanted]
    chosen: Array = np.where(possible[:, None], alone, _even(could_show))
    return chosen
