"""What the log holds of one decision, and of the configurations that decisions were made under.

Beside the contract of a store: `api.storage.records` reads these.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from api.storage.base import DecisionRow, SettlementRow


class Version(NamedTuple):
    """What a decision says of the policy that made it.

    Args:
        fingerprint: Of its configuration.
        learned_through: Place in the log of the last reward that it had learned.
    """

    placement: str
    fingerprint: str
    learned_through: int

    @classmethod
    def of(cls, policy_version: str) -> "Version | None":
        """The parts of a logged version; None where it is none.

        Example:
            >>> Version.of("home.1a2b3c4d@17")
            Version(placement='home', fingerprint='1a2b3c4d', learned_through=17)
        """
        name, _, row = policy_version.rpartition("@")
        placement, _, fingerprint = name.rpartition(".")
        if not placement or not (row.isascii() and row.isdecimal()):
            return None
        return cls(placement, fingerprint, int(row))


class RewardEntry(NamedTuple):
    """A row of a decision's reward.

    `value` is what the row adds, `worth` what its event or report counts for by itself. `event` and
    `message_id` are those of the event that it is about; None for none, or for one that is gone.
    """

    seq: int
    reward_id: str
    value: float
    is_first: bool
    source: str
    received_at_us: int
    worth: float | None
    event: str | None
    message_id: str | None


class Configuration(NamedTuple):
    """What a placement's policy was made of from a row of the reward log on.

    `parameters` is JSON. The model went on from what it had learned up to `learned_through`, 0 for
    nothing; `decisions_through` is the last decision before it, set by the store.
    """

    placement: str
    fingerprint: str
    parameters: str
    layout: int
    learned_through: int
    decisions_through: int = 0


def place_of(
    configurations: Sequence[Configuration], fingerprint: str, decision_seq: int
) -> int | None:
    """Which configuration a decision was made under; None where it is none of them.

    Args:
        configurations: Of its placement, in their order.
        fingerprint: That it names.
        decision_seq: Its place in the log: one configuration may be left and come back to.
    """
    fitting = [n for n, one in enumerate(configurations) if one.fingerprint == fingerprint]
    before = [n for n in fitting if configurations[n].decisions_through < decision_seq]
    return max(before) if before else min(fitting, default=None)


class DecisionRecord(NamedTuple):
    """A decision, its place in the log, and what came of it, in the order of the log.

    `layout` are the names of what it saw, `configuration` is what its policy was made of; None
    where the log does not know.
    """

    seq: int
    row: "DecisionRow"
    rewards: tuple[RewardEntry, ...]
    settlements: "tuple[SettlementRow, ...]"
    layout: dict[str, list[str]] | None
    configuration: Configuration | None

    @property
    def reward(self) -> float | None:
        """What it has earned; None where that is not settled."""
        if not any(entry.is_first for entry in self.rewards):
            return None
        return sum(entry.value for entry in self.rewards)
