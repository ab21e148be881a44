"""What the log holds of one decision, and of the policies that made it.

Beside the contract of a store: `api.storage.records` reads these.
"""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from api.storage.trial import PolicyRow

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


class Deciders(NamedTuple):
    """Which policies decided at a placement from one step on, as they were added.

    Args:
        step: See `api.storage.trial.StepRow`.
        champion: Decided.
        challenger: Took a share of the decisions.
        share: That share; 0 without a challenger.
        configured: The policy that `segue.toml` named, whose floor is that of all; None where it
            is not in the store any more.
    """

    step: int
    champion: PolicyRow
    challenger: PolicyRow | None
    share: float
    configured: PolicyRow | None

    @property
    def parameters(self) -> dict[str, Any]:
        """Kinds and parameters of those who decided, as `Lineup.parameters` tells them."""
        said: dict[str, Any] = json.loads(self.champion.spec)
        if self.challenger is not None:
            said["challenger"] = {"share": self.share, **json.loads(self.challenger.spec)}
        return said


class DecisionRecord(NamedTuple):
    """A decision, its place in the log, and what came of it, in the order of the log.

    `layout` are the names of what it saw, `deciders` the policies at work; None where the log does
    not know.
    """

    seq: int
    row: "DecisionRow"
    rewards: tuple[RewardEntry, ...]
    settlements: "tuple[SettlementRow, ...]"
    layout: dict[str, list[str]] | None
    deciders: Deciders | None

    @property
    def reward(self) -> float | None:
        """What it has earned; None where that is not settled."""
        if not any(entry.is_first for entry in self.rewards):
            return None
        return sum(entry.value for entry in self.rewards)
