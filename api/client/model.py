"""What the client hands out and takes in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to show.

    Args:
        action_id: The action to show.
        payload: What the catalog holds for it.
        decision_id: Names it for rewards; None where the service did not log it.
        probability: Exact probability with which it was chosen.
        segment: Of the visitor.
        group: `control` or `treatment` at a placement with a holdout.
        policy_version: Which policy decided; None for a local default.
        reason: Why a default is shown, the placement's or the local one; None for a choice.
    """

    action_id: str
    payload: JSON = field(default_factory=dict)
    decision_id: str | None = None
    probability: float = 1.0
    segment: str | None = None
    group: str | None = None
    policy_version: str | None = None
    reason: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the service did not decide it."""
        return self.policy_version is None


def _new_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Reward:
    """What became of a decision.

    Args:
        decision_id: From the decision.
        value: What it earned; negative takes back.
        reward_id: Counts once, however often it is sent.

    Raises:
        ValueError: The value is not finite.
    """

    decision_id: str
    value: float
    reward_id: str = field(default_factory=_new_id)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"value is {self.value}: must be a finite number")
