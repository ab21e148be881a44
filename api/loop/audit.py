"""The audit of choices: were they explored, and are their probabilities those they were drawn with?

Beside the decider, which hands its choices over. One in four is looked at, which tells as much and
costs a decision less than a hundredth of its time, and some dozens at once, because an array over
many costs as much as one. Nothing of a visitor is kept.
"""

from zlib import crc32

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.choice import Choice
from policy.ope.propensity_check import Agreement, PropensityCheck

log = structlog.get_logger()

N_GROUPS = 32
ONE_IN = 4
WINDOW = 2_500
"""Choices that are judged together."""
ALARM = 1e-9
"""A window less likely than this means that the probabilities are wrong."""
AT_ONCE = 64
LARGEST = 256
"""Candidates; larger sets are not audited."""
MOST_SETS = 1_000
"""Sets of candidates whose groups are remembered."""
KINDS = ("greedy", "explored", "single", "default")


class PlacementAudit:
    """The audit of one placement.

    Args:
        name: Of the placement, for the log.

    Attributes:
        kinds: Audited choices by kind: `greedy` (the action that is expected to earn most),
            `explored` (another), `single` (only one could be shown), `default`.
        last: The last full window; None before there is one.
        n_alarms: Windows in which the probabilities were wrong.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kinds = dict.fromkeys(KINDS, 0)
        self.last: Agreement | None = None
        self.n_alarms = 0
        self._waiting: list[Choice] = []
        self._check = PropensityCheck(N_GROUPS)
        self._numbers: dict[str, int] = {}
        self._known: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}

    def note(self, choice: Choice) -> None:
        """Take a choice in."""
        if choice.reason is not None:
            self.kinds["default"] += 1
        elif len(choice.probabilities) == 1:
            self.kinds["single"] += 1
        else:
            self._waiting.append(choice)
            if len(self._waiting) >= AT_ONCE:
                self.fold()

    def fold(self) -> None:
        """Count what was taken in since the last time."""
        drawn, self._waiting = self._waiting, []
        if not drawn:
            return
        lengths = np.array([len(one.probabilities) for one in drawn])
        starts = lengths.cumsum() - lengths
        chosen = np.array([one.chosen for one in drawn])
        expected = np.concatenate([one.expected for one in drawn])
        best = np.maximum.reduceat(expected, starts)
        n_greedy = int(np.count_nonzero(expected[starts + chosen] >= best))
        self.kinds["greedy"] += n_greedy
        self.kinds["explored"] += len(drawn) - n_greedy
        self._judge([one for one in drawn if len(one.probabilities) <= LARGEST])

    def _judge(self, drawn: list[Choice]) -> None:
        if drawn:
            self._check.add(
                np.array([len(one.probabilities) for one in drawn]),
                np.concatenate([self._groups(one.choices.ids) for one in drawn]),
                np.concatenate([one.probabilities for one in drawn]),
                np.array([one.chosen for one in drawn]),
            )
        if self._check.n >= WINDOW:
            self.last, self._check = self._check.agreement(), PropensityCheck(N_GROUPS)
            if self.last.p_value < ALARM:
                self.n_alarms += 1
                log.error(
                    "propensities_wrong",
                    placement=self.name,
                    n=self.last.n,
                    chi_square=round(self.last.chi_square, 1),
                    degrees=self.last.degrees,
                    sharpness=round(self.last.sharpness, 1),
                    inverse_ratio=round(self.last.inverse_ratio, 3),
                )

    def _groups(self, ids: tuple[str, ...]) -> npt.NDArray[np.intp]:
        """The group of each action: its own for the first ones, then some share one."""
        groups = self._known.get(ids)
        if groups is None:
            if len(self._known) >= MOST_SETS:
                self._known.clear()
            groups = self._known[ids] = np.array([self._number(name) for name in ids], np.intp)
        return groups

    def _number(self, name: str) -> int:
        if len(self._numbers) < N_GROUPS:
            return self._numbers.setdefault(name, len(self._numbers))
        return self._numbers.get(name, crc32(name.encode("utf-8", "replace")) % N_GROUPS)


class Audit:
    """The audits of all placements, made as choices come."""

    def __init__(self) -> None:
        self.placements: dict[str, PlacementAudit] = {}
        self._n_choices = 0

    def note(self, placement: str, choice: Choice) -> None:
        """Take a choice in, if it is its turn."""
        self._n_choices += 1
        if self._n_choices % ONE_IN:
            return
        audit = self.placements.get(placement)
        if audit is None:
            audit = self.placements[placement] = PlacementAudit(placement)
        audit.note(choice)

    def fold(self) -> None:
        """Count everything that was taken in."""
        for audit in self.placements.values():
            audit.fold()
