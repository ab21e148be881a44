"""The contract of a store about one person: what it holds of them, and that it can forget them.

Beside `api.storage.base`, which is about the log of all.
"""

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from api.storage.base import LearningRow, Specs


class Person(NamedTuple):
    """The rows of one person, as far as the log reached when they were looked for.

    Args:
        visitor: The id in use.
        ids: Every id that was ever theirs, the one in use first.
        links: (alias, id, seq) of those of the ids that are somebody else's without them.
        events: Places in the log.
        decisions: Likewise.
        dead_letters: Likewise.
        answers: Places of what keyed requests were answered.
        notices: Places of what endpoints were told of them.
        decided_under: Those of the ids that decisions of theirs stand under.
        current: Those of the ids that stand for the person now.
        ends: The last row of `events`, `dead_letters`, `answers` and `outbox` that was looked at.
    """

    visitor: str
    ids: tuple[str, ...]
    links: tuple[tuple[str, str, int], ...]
    events: tuple[int, ...]
    decisions: tuple[int, ...]
    dead_letters: tuple[int, ...]
    answers: tuple[int, ...]
    notices: tuple[int, ...]
    decided_under: tuple[str, ...]
    current: tuple[str, ...]
    ends: tuple[int, int, int, int]

    def __bool__(self) -> bool:
        """Whether there is anything of theirs."""
        return bool(self.events or self.decisions or self.dead_letters)


class Receipt(NamedTuple):
    """That a person was erased; it holds nothing of theirs.

    Args:
        receipt_id: Unguessable.
        erased_at_us: Microseconds since 1970.
        rows: How many went, by table.
        models: How each placement's model forgot, see `Relearned`.
    """

    receipt_id: str
    erased_at_us: int
    rows: dict[str, int]
    models: dict[str, str]


class Relearned(NamedTuple):
    """A model without the person, to be saved in place of every one with them.

    Args:
        policy: Which one of the placement; "" for all of them.
        how: `removed`, where its statistics could be taken back, `relearned`, or `dropped` with
            the data being None, for a placement, or a policy of one, that is there no more.
    """

    placement: str
    policy: str
    learned_through: int
    how: str
    data: bytes | None


class Subjects(ABC):
    """The people in a store. All but `suppressions` is for the event loop, after `Store.start`."""

    @abstractmethod
    async def find(self, visitor: str) -> Person:
        """Which rows are a person's, by any of their ids; read beside the writer."""

    @abstractmethod
    async def rows(self, person: Person) -> dict[str, list[dict[str, Any]]]:
        """Those rows, by table."""

    @abstractmethod
    async def lessons(self, person: Person) -> "list[LearningRow]":
        """What their decisions taught, in the order of the log."""

    @abstractmethod
    async def lessons_of_others(
        self, person: Person, placement: str, after: int, limit: int
    ) -> "list[LearningRow]":
        """The next lessons of a placement that are of anybody else."""

    @abstractmethod
    def erase(
        self,
        person: Person,
        asked: str,
        models: Sequence[Relearned],
        now_us: int,
        specs: "Specs",
        on_commit: Callable[[Receipt | None], None],
    ) -> "Future[Receipt | None]":
        """Take a person out of every table, and of the saved models, and leave a receipt.

        Returns:
            None where the person's ids changed since `find`: nothing was done.
        """

    @abstractmethod
    def receipt(self, visitor: str) -> "Future[Receipt | None]":
        """The latest receipt of an id; None where it was never erased."""

    @abstractmethod
    async def scrub(self, ids: Sequence[str]) -> bool:
        """Have nothing of erased ids left in the files; whether they were written anew for it."""

    @abstractmethod
    def suppressions(self) -> tuple[bytes, dict[bytes, int]]:
        """The key of the hashes of erased ids, and the hashes, with when. Before `Store.start`."""
