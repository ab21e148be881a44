"""The reward's wire format: what became of a decision?"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from api.schemas.decision import Id, Wire
from api.storage.account import RESERVED
from policy.reward.spec import LARGEST_REWARD


def _not_reserved(value: str) -> str:
    if value.startswith(RESERVED):
        raise ValueError(f"must not begin with any of {', '.join(RESERVED)}: the service's own")
    return value


RewardId = Annotated[Id, AfterValidator(_not_reserved)]


class DecisionReward(Wire):
    """A reward for the decision that the path names."""

    value: FiniteFloat = Field(
        ge=-LARGEST_REWARD, le=LARGEST_REWARD, description="Added to what the decision has earned."
    )
    reward_id: RewardId | None = Field(
        None, description="Counts once; without it, the decision has one reward of this kind."
    )
    visitor: Id | None = Field(None, description="If given, the decision must be this visitor's.")


class RewardRequest(DecisionReward):
    """A reward that names its decision."""

    decision_id: Id


class RewardResponse(Wire):
    """What became of the reward."""

    status: Literal["counted", "held", "duplicate"] = Field(
        description="`held`: it counts once the decision is activated. "
        "`duplicate`: this reward id was counted before, nothing changed."
    )
    reward_id: str
    decision_id: str


class ActivationRequest(Wire):
    """The decision was shown. The body may be empty."""

    visitor: Id | None = Field(None, description="If given, the decision must be this visitor's.")


class ActivationResponse(Wire):
    """What became of the activation."""

    status: Literal["activated", "duplicate"] = Field(
        description="`duplicate`: it was activated before, nothing changed."
    )
    decision_id: str
