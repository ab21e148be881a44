"""The contract of what a store knows of policies: which there are, what each does, who said so.

Part of `api.storage.base`. What the policies of a placement do is a fold over its steps, of which
the latest holds all of it; steps are never changed.
"""

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import NamedTuple


class PolicyRow(NamedTuple):
    """A policy as it was added.

    Args:
        spec: Kind and parameters, as JSON.
        file: The model file that it starts from; None for one that learns from nothing.
        learns_after: Place in the log of rewards behind which it learns.
    """

    placement: str
    name: str
    version: int
    spec: str
    file: bytes | None
    learns_after: int
    added_at_us: int


class StepRow(NamedTuple):
    """A change of what the policies of a placement do.

    Args:
        what: `configured`, `added`, `shadow`, `mixture`, `promoted`, `rolled back` or `terms`.
        policy: Which one, as name@version.
        share: Of the decisions that a challenger takes from now on.
        actor: Who said so: the name of a key, `gate`, or `configuration`.
        reason: In words.
        evidence: The numbers behind it, as JSON.
        lineup: What each policy does from now on, as JSON.
    """

    placement: str
    at_us: int
    what: str
    policy: str
    share: float | None
    actor: str
    reason: str | None
    evidence: str | None
    lineup: str


class Step(NamedTuple):
    """A step with its place: among the steps, and in the logs when it was taken."""

    step: int
    row: StepRow
    decisions_through: int
    rewards_through: int


class GateRow(NamedTuple):
    """A gate with how far into the log of decisions it has read: one row, so that they agree.

    Args:
        trial: The step that began what the gate is about.
    """

    placement: str
    trial: int
    read_through: int
    data: bytes


class Asked(NamedTuple):
    """Which decisions are read, and what of them.

    Args:
        trial: Those made under this step or a later one.
        after: Place in the log behind which to begin.
        wait_us: How long after its window a decision is settled, in microseconds.
        now_us: What is settled by now, in microseconds since 1970.
        metrics: Guardrails to measure, of `METRICS`.
        limit: Rows of the log to look at.
    """

    placement: str
    trial: int
    after: int
    wait_us: int
    now_us: int
    metrics: tuple[str, ...] = ()
    limit: int = 1000


class SettledRow(NamedTuple):
    """A settled decision of a trial.

    Args:
        probability: Of what was shown, as it was drawn.
        parts: See `DecisionRow`.
        reward: What it earned.
        metrics: Of each guardrail that was asked for, in that order.
        lineup: The step under which it was made.
    """

    probability: float
    parts: bytes
    reward: float
    metrics: tuple[float, ...]
    lineup: int = 0


class Settled(NamedTuple):
    """What was read.

    Args:
        through: Place in the log up to which everything was looked at.
        is_all: Whether nothing more is settled by now.
    """

    rows: tuple[SettledRow, ...]
    through: int
    is_all: bool


RETURNS, UNSUBSCRIBES, MARGIN = "returns", "unsubscribes", "margin"
METRICS = (RETURNS, UNSUBSCRIBES, MARGIN)


class Trials(ABC):
    """The policies in a store. What returns no future is for start-up; see `Store`."""

    @abstractmethod
    def policies(self, placement: str) -> list[PolicyRow]:
        """Every policy that was ever added, in that order."""

    @abstractmethod
    def latest(self, placement: str) -> Step | None:
        """The step that says what they do now; None where there was none yet."""

    @abstractmethod
    def begin(self, policies: Sequence[PolicyRow], step: StepRow) -> int:
        """Add policies with the step that says so, in one transaction; its place."""

    @abstractmethod
    def record(
        self, policies: Sequence[PolicyRow], step: StepRow, on_commit: Callable[[int], None]
    ) -> Future[int]:
        """The same while the service runs; `on_commit` is called with the step's place."""

    @abstractmethod
    async def steps(self, placement: str, limit: int) -> list[Step]:
        """The latest steps, the last one first."""

    @abstractmethod
    def gate(self, placement: str) -> Future[GateRow | None]:
        """The gate of a placement as it was saved."""

    @abstractmethod
    def save_gate(self, row: GateRow) -> Future[None]:
        """Save a gate in place of the one before."""

    @abstractmethod
    async def settled(self, asked: Asked) -> Settled:
        """The next settled decisions of a trial, in the order of the log, up to one that is open.

        Left out are defaults, the control group, decisions of before the trial, and what was never
        shown where only that counts.
        """
