"""The reward's wire format: what became of a decision?"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from api.schemas.decision import Id, Wire
from api.storage.account import RESERVED
from policy.reward.spec import LARGEST_REWARD

MOST_REWARDS = 1_000


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


class RewardBatch(Wire):
    """Several rewards at once."""

    rewards: list[Any] = Field(
        max_length=MOST_REWARDS, description="Each as the body of `POST /v1/rewards`."
    )


class RewardResult(Wire):
    """What became of one reward of several."""

    status: Literal["counted", "held", "duplicate", "refused"]
    field: str | None = Field(None, description="What is wrong with one that is refused.")
    rule: str | None = Field(None, description="What it has to be.")


class RewardBatchResponse(Wire):
    """What became of each, in their order."""

    results: list[RewardResult]


class ActivationRequest(Wire):
    """The decision was shown. The body may be empty."""

    visitor: Id | None = Field(None, description="If given, the decision must be this visitor's.")


class ActivationResponse(Wire):
    """What became of the activation."""

    status: Literal["activated", "duplicate"] = Field(
        description="`duplicate`: it was activated before, nothing changed."
    )
    decision_id: str
