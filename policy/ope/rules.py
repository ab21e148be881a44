"""Rules as a target: what somebody would write down instead of having it learned.

Beside the other targets. The conditions are those of ``policy.catalog.condition``; what they ask is
read from the log's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from policy.catalog.condition.program import Program
from policy.errors import EvaluationError
from policy.ope.targets import position_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.catalog.condition.tree import Condition, Field
    from policy.catalog.condition.vocabulary import FieldType
    from policy.ope.log import Array, Decisions


class Reader(Protocol):
    """Reads a field of every row."""

    def __call__(self, log: Decisions) -> Sequence[Any]:
        """(n,); None where it is unknown."""


@dataclass(frozen=True, slots=True)
class Known:
    """A field that the log can answer.

    Args:
        kind: What it holds.
        read: Reads it.
    """

    kind: FieldType
    read: Reader


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a condition holds, an action.

    Args:
        when: Asks for fields of the visitor and the moment, none of candidates.
        show: Id of the action.
    """

    when: Condition
    show: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The first rule that holds and whose action is eligible decides.

    Where none does, ``otherwise`` is shown, and where that is not eligible, every eligible action
    alike.

    Args:
        rules: In their order.
        otherwise: Id of an action.
        fields: What the log can answer.

    Raises:
        ConditionError: A condition asks what the log cannot answer.

    Example:
        >>> from policy.catalog.condition.parser import parse
        >>> from policy.catalog.condition.tree import Field
        >>> from policy.catalog.condition.vocabulary import FieldType
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("tea", "wine"), np.array([0, 0]), np.ones(2), np.ones(2),
        ...                 context=np.array([[1.0], [4.0]]))
        >>> fields = {Field("profile", "orders"): Known(FieldType("number"), Numbers(0))}
        >>> rules = Rules((Rule(parse("profile.orders >= 3"), "wine"),), "tea", fields)
        >>> rules.probabilities(log)
        array([[1., 0.],
               [0., 1.]])
    """

    rules: tuple[Rule, ...]
    otherwise: str
    fields: Mapping[Field, Known]

    def __post_init__(self) -> None:
        program = self._program()
        if program.action_fields:
            raise EvaluationError(
                f"a rule asks for {program.action_fields[0]}: rules choose the action, so they can "
                "only ask for the visitor and the moment"
            )

    def probabilities(self, log: Decisions) -> Array:
        """See ``Target``."""
        program = self._program()
        rows = list(zip(*(self.fields[one].read(log) for one in program.fields), strict=True))
        eligible = log.could_show
        chosen = np.full(log.n_rows, -1, np.int64)
        for rule in self.rules:
            place, test = position_of(log, rule.show), program.test(rule.when)
            holds = np.array([bool(test(row)) for row in rows or [()] * log.n_rows], np.bool_)
            chosen[(chosen < 0) & holds & eligible[:, place]] = place
        otherwise = position_of(log, self.otherwise)
        chosen[(chosen < 0) & eligible[:, otherwise]] = otherwise
        shown: Array = eligible / eligible.sum(axis=1, keepdims=True)
        decided = np.flatnonzero(chosen >= 0)
        shown[decided] = 0.0
        shown[decided, chosen[decided]] = 1.0
        return shown

    def _program(self) -> Program:
        vocabulary = {name: known.kind for name, known in self.fields.items()}
        return Program(vocabulary, [rule.when for rule in self.rules])


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of the context, to six digits: logs hold float32, and 3 orders are not 2.9999998.

    Args:
        column: Its position.
        natural: Turns what the policy saw into what people say, such as a logarithm into cents.
    """

    column: int
    natural: Callable[[float], float] | None = None

    def __call__(self, log: Decisions) -> list[float]:
        """See ``Reader``."""
        values: list[float] = log.context[:, self.column].tolist()
        if self.natural is not None:
            values = [self.natural(value) for value in values]
        return [float(f"{value:.6g}") for value in values]


@dataclass(frozen=True, slots=True)
class Flags:
    """A column of the context that is 0 or 1."""

    column: int

    def __call__(self, log: Decisions) -> list[bool]:
        """See ``Reader``."""
        flags: list[bool] = (log.context[:, self.column] > 0.0).tolist()
        return flags


@dataclass(frozen=True, slots=True)
class Texts:
    """A text that is spread over columns of the context, one for each value; unknown if all are 0.

    Args:
        columns: Position of each value.
    """

    columns: Mapping[str, int]

    def __call__(self, log: Decisions) -> list[str | None]:
        """See ``Reader``."""
        names = list(self.columns)
        spread = log.context[:, list(self.columns.values())] > 0.0
        places = np.where(spread.any(axis=1), spread.argmax(axis=1), -1).tolist()
        return [names[place] if place >= 0 else None for place in places]


@dataclass(frozen=True, slots=True)
class Label:
    """A label of the log.

    Args:
        name: Its name.
        unknown: The value that stands for none.
        as_: ``text``, ``number`` or ``date``.
    """

    name: str
    unknown: str | None = None
    as_: str = "text"

    def __call__(self, log: Decisions) -> list[Any]:
        """See ``Reader``."""
        texts = log.labels[self.name].astype(str).tolist()
        return [None if text == self.unknown else _MADE[self.as_](text) for text in texts]


_MADE: dict[str, Callable[[str], Any]] = {
    "text": str,
    "number": float,
    "date": date.fromisoformat,
}
