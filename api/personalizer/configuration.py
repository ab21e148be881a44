"""Personalizer's configuration, read from `segue.toml`.

A service's settings live in one checked file, so that two of them never disagree: a client can
read them here, and is told where to change them.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.loop.engine import Engine
from api.loop.errors import BadRequestError, NotFoundError
from api.loop.placement import Placement
from api.schemas.personalizer import PolicyConfiguration, ServiceConfiguration

_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_WHERE = {
    "rewardWaitTime": "window_minutes of [placements.reward]",
    "defaultReward": "default of [placements.reward]",
    "rewardAggregation": "aggregation of [placements.reward]",
    "explorationPercentage": "epsilon or floor of [placements.policy]",
    "name": "kind of [placements.policy]",
    "arguments": "[placements.policy]",
}
_FIXED = {
    "modelExportFrequency": "rewards are learned as they come in",
    "logRetentionDays": "the log is kept",
    "modelRetrainDays": "changed settings are learned again from the whole log",
    "learningMode": "[placements.holdout] and [placements.challenger] compare policies instead",
    "isAutoOptimizationEnabled": "[placements.challenger] tries other settings instead",
    "logMirrorEnabled": "the log is a file of yours already",
}


def placement_of(engine: Engine) -> Placement:
    """The placement that the drop-in decides with.

    Raises:
        NotFoundError: It is not configured.
    """
    settings = engine.settings.personalizer
    if settings is None:
        rule = "Personalizer's interface is not set up: add [personalizer] to segue.toml"
        raise NotFoundError("personalizer", None, rule)
    return engine.placements[settings.placement]


def service_configuration(placement: Placement) -> ServiceConfiguration:
    """The body of `/configurations/service`."""
    reward = placement.reward
    exploration = placement.parameters.get("epsilon", placement.policy.floor)
    return ServiceConfiguration(
        rewardWaitTime=_iso(timedelta(minutes=reward.window_minutes)),
        defaultReward=reward.default,
        rewardAggregation="sum" if reward.aggregation == "sum" else "earliest",
        explorationPercentage=float(str(exploration)),
        modelExportFrequency="PT1S",
        logRetentionDays=-1,
    )


def policy_configuration(placement: Placement) -> PolicyConfiguration:
    """The body of `/configurations/policy`."""
    return PolicyConfiguration(
        name=placement.policy.kind,
        arguments=json.dumps(placement.parameters, sort_keys=True, default=list),
    )


def refuse_changes(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Let pass what says the same as is configured.

    Args:
        current: Fields as they are.
        wanted: Fields as a client sent them; those that are not known are let be.

    Raises:
        BadRequestError: Naming the first field that differs, and where it is set.
    """
    for name, value in current.items():
        given = wanted.get(name)
        if given is None or _same(given, value):
            continue
        remedy = _FIXED.get(name) or f"change {_WHERE[name]} in segue.toml, then start again"
        rule = f"is {value!r} here and cannot be set by a call: {remedy}"
        raise BadRequestError(name, given, rule)


def _same(given: object, current: object) -> bool:
    if isinstance(given, str) and isinstance(current, str) and current.startswith("P"):
        try:
            return _DURATION.validate_python(given) == _DURATION.validate_python(current)
        except ValidationError:
            return False
    return given == current


def _iso(span: timedelta) -> str:
    text: str = _DURATION.dump_python(span, mode="json")
    return text
