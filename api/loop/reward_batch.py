"""Several rewards in one request: each counts, or is refused, by itself."""

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError

from api.loop.errors import LoopError
from api.loop.reward import Rewarder
from api.problems import of_validation
from api.schemas.reward import RewardRequest, RewardResult


async def reward_batch(
    rewarder: Rewarder, items: Sequence[object], owner: str | None = None
) -> list[RewardResult]:
    """Append rewards to the log, all at once, so that they share its flush.

    Args:
        rewarder: Takes each.
        items: As parsed from JSON.
        owner: Whose key they came with; only decisions of the same are known to it.

    Returns:
        What became of each, in their order.

    Raises:
        StoreUnavailableError: Not all could be kept: send them again, same ids.
    """
    return list(await asyncio.gather(*[_one(rewarder, item, owner) for item in items]))


async def _one(rewarder: Rewarder, item: object, owner: str | None) -> RewardResult:
    try:
        request = RewardRequest.model_validate(item)
        answer = await rewarder.reward(request.decision_id, request, owner)
    except ValidationError as error:
        fault = of_validation(error).errors[0]
        return RewardResult(status="refused", field=fault.field, rule=fault.rule)
    except LoopError as error:
        return RewardResult(status="refused", field=error.field, rule=error.rule)
    return RewardResult.model_validate({"status": answer["status"]})
