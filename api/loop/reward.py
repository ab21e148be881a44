"""Reward: what a client reports of a decision, counted once; and that it was shown."""

from collections.abc import Callable
from functools import partial

from pydantic_core import to_json

from api.loop.clock import Clock
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.schemas.reward import ActivationRequest, DecisionReward
from api.storage.account import ONLY
from api.storage.base import RewardOutcome, RewardRow, Specs, Store
from api.storage.keyed import Keyed, KeyedRequest, Told
from segments.pipeline import Pipeline

REFUSALS = ("unknown", "foreign", "conflict", "full")


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
        self,
        decision_id: str,
        reward: DecisionReward,
        owner: str | None = None,
        once: KeyedRequest | None = None,
    ) -> dict[str, str]:
        """Append a reward to the log.

        Args:
            decision_id: From the decision's answer.
            reward: The checked request.
            owner: Whose key it came with; only decisions of the same are known to it.
            once: The key under which it is done once.

        Returns:
            The body of a `RewardResponse`.

        Raises:
            NotFoundError: There is no such decision.
            BadRequestError: The decision is another visitor's.
            ConflictError: The reward id was used for something else, or the decision takes no more.
            RepeatedRequestError: It was answered before.
        """
        reward_id = reward.reward_id or f"{ONLY}:{decision_id}"
        row = RewardRow(reward_id, decision_id, reward.value, self._clock.now_us())
        visitors = self._ids_of(reward.visitor)

        def answer(status: str) -> dict[str, str]:
            return {"status": status, "reward_id": reward_id, "decision_id": decision_id}

        keyed = None if once is None else Keyed(once, partial(_told, answer))
        outcome = await self._store.append_reward(row, visitors, self._specs, owner, keyed)
        _check(outcome, decision_id, reward.visitor)
        if outcome.status == "conflict":
            rule = "was used before for another decision or value; a reward id counts once"
            if reward.reward_id is None:
                rule = "the decision has its reward; give each further one a reward_id of its own"
            raise ConflictError("reward_id", reward_id, rule)
        if outcome.status == "full":
            rule = "the decision has had so many rewards that it takes no more"
            raise ConflictError("decision_id", decision_id, rule)
        return answer(outcome.status)

    async def activate(
        self,
        decision_id: str,
        activation: ActivationRequest,
        owner: str | None = None,
        once: KeyedRequest | None = None,
    ) -> dict[str, str]:
        """Note in the log that a decision was shown.

        Args:
            decision_id: From the decision's answer.
            activation: The checked request.
            owner: As for a reward.
            once: As for a reward.

        Returns:
            The body of an `ActivationResponse`.

        Raises:
            NotFoundError: There is no such decision.
            BadRequestError: The decision is another visitor's.
            RepeatedRequestError: As for a reward.
        """

        def answer(status: str) -> dict[str, str]:
            status = "activated" if status == "counted" else status
            return {"status": status, "decision_id": decision_id}

        visitors, now_us = self._ids_of(activation.visitor), self._clock.now_us()
        keyed = None if once is None else Keyed(once, partial(_told, answer))
        outcome = await self._store.activate(
            decision_id, visitors, now_us, self._specs, owner, keyed
        )
        _check(outcome, decision_id, activation.visitor)
        return answer(outcome.status)

    def _ids_of(self, visitor: str | None) -> tuple[str, ...]:
        if visitor is None:
            return ()
        return (visitor, *self._pipeline.ids_of(visitor))


def _told(answer: Callable[[str], dict[str, str]], outcome: RewardOutcome) -> Told | None:
    """What is remembered; a refusal is not."""
    if outcome.status in REFUSALS:
        return None
    return Told(to_json(answer(outcome.status)), outcome.visitor)


def _check(outcome: RewardOutcome, decision_id: str, visitor: str | None) -> None:
    if outcome.status == "unknown":
        raise NotFoundError("decision_id", decision_id, "no such decision")
    if outcome.status == "foreign":
        rule = "the decision was made for another visitor"
        raise BadRequestError("visitor", visitor, rule)
