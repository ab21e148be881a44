"""Reward: what a client reports of a decision, counted once."""

from api.loop.clock import Clock
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.schemas.reward import DecisionReward
from api.storage.base import RewardRow, Store
from api.storage.ledger import ONLY
from segments.pipeline import Pipeline


class Rewarder:
    """Takes explicit rewards.

    Args:
        pipeline: Knows which ids are one visitor.
        store: Where rewards become durable.
        clock: What time it is.
    """

    def __init__(self, pipeline: Pipeline, store: Store, clock: Clock) -> None:
        self._pipeline = pipeline
        self._store = store
        self._clock = clock

    async def reward(self, decision_id: str, reward: DecisionReward) -> dict[str, str]:
        """Append a reward to the log.

        Args:
            decision_id: From the decision's answer.
            reward: The checked request.

        Returns:
            The body of a `RewardResponse`.

        Raises:
            NotFoundError: There is no such decision.
            BadRequestError: The decision is another visitor's.
            ConflictError: The reward id was used for something else.
        """
        reward_id = reward.reward_id or f"{ONLY}:{decision_id}"
        row = RewardRow(reward_id, decision_id, reward.value, self._clock.now_us())
        outcome = await self._store.append_reward(row, self._ids_of(reward.visitor))
        if outcome.status == "unknown":
            raise NotFoundError("decision_id", decision_id, "no such decision")
        if outcome.status == "foreign":
            rule = "the decision was made for another visitor"
            raise BadRequestError("visitor", reward.visitor, rule)
        if outcome.status == "conflict":
            rule = "was used before for another decision or value; a reward id counts once"
            if reward.reward_id is None:
                rule = "the decision has its reward; give each further one a reward_id of its own"
            raise ConflictError("reward_id", reward_id, rule)
        return {"status": outcome.status, "reward_id": reward_id, "decision_id": decision_id}

    def _ids_of(self, visitor: str | None) -> tuple[str, ...]:
        if visitor is None:
            return ()
        return (visitor, *self._pipeline.ids_of(visitor))
