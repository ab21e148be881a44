"""Reward: what a client reports of a decision, counted once; and that it was shown."""

from api.loop.clock import Clock
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.schemas.reward import ActivationRequest, DecisionReward
from api.storage.account import ONLY
from api.storage.base import RewardOutcome, RewardRow, Specs, Store
from segments.pipeline import Pipeline


class Rewarder:
    """Takes explicit rewards and activations.

    Args:
        pipeline: Knows which ids are one visitor.
        store: Where rewards become durable.
        clock: What time it is.
        specs: Reward definition of each placement.
    """

    def __init__(self, pipeline: Pipeline, store: Store, clock: Clock, specs: Specs) -> None:
        self._pipeline = pipeline
        self._store = store
        self._clock = clock
        self._specs = specs

    async def reward(
        self, decision_id: str, reward: DecisionReward, owner: str | None = None
    ) -> dict[str, str]:
        """Append a reward to the log.

        Args:
            decision_id: From the decision's answer.
            reward: The checked request.
            owner: Whose key it came with; only decisions of the same are known to it.

        Returns:
            The body of a `RewardResponse`.

        Raises:
            NotFoundError: There is no such decision.
            BadRequestError: The decision is another visitor's.
            ConflictError: The reward id was used for something else.
        """
        reward_id = reward.reward_id or f"{ONLY}:{decision_id}"
        row = RewardRow(reward_id, decision_id, reward.value, self._clock.now_us())
        visitors = self._ids_of(reward.visitor)
        outcome = await self._store.append_reward(row, visitors, self._specs, owner)
        _check(outcome, decision_id, reward.visitor)
        if outcome.status == "conflict":
            rule = "was used before for another decision or value; a reward id counts once"
            if reward.reward_id is None:
                rule = "the decision has its reward; give each further one a reward_id of its own"
            raise ConflictError("reward_id", reward_id, rule)
        return {"status": outcome.status, "reward_id": reward_id, "decision_id": decision_id}

    async def activate(
        self, decision_id: str, activation: ActivationRequest, owner: str | None = None
    ) -> dict[str, str]:
        """Note in the log that a decision was shown.

        Args:
            decision_id: From the decision's answer.
            activation: The checked request.
            owner: As for a reward.

        Returns:
            The body of an `ActivationResponse`.

        Raises:
            NotFoundError: There is no such decision.
            BadRequestError: The decision is another visitor's.
        """
        outcome = await self._store.activate(
            decision_id, self._ids_of(activation.visitor), self._clock.now_us(), self._specs, owner
        )
        _check(outcome, decision_id, activation.visitor)
        status = "activated" if outcome.status == "counted" else outcome.status
        return {"status": status, "decision_id": decision_id}

    def _ids_of(self, visitor: str | None) -> tuple[str, ...]:
        if visitor is None:
            return ()
        return (visitor, *self._pipeline.ids_of(visitor))


def _check(outcome: RewardOutcome, decision_id: str, visitor: str | None) -> None:
    if outcome.status == "unknown":
        raise NotFoundError("decision_id", decision_id, "no such decision")
    if outcome.status == "foreign":
        rule = "the decision was made for another visitor"
        raise BadRequestError("visitor", visitor, rule)
