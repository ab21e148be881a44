"""Records: one decision of the log with everything that went into it and came of it.

For people, off the decision path. What is told is what is logged; only what the policy expected is
worked out, and only while it is the policy that decided.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from api.loop.clock import Clock, from_us
from api.loop.errors import NotFoundError
from api.loop.placement import Placement
from api.retention_settings import RetentionSettings
from api.storage.account import ACTIVATION
from api.storage.base import DecisionRow, Store
from api.storage.record import DecisionRecord, RewardEntry, Version
from policy.base import Candidates
from policy.reward.spec import SHOWN

DAY_US = 86_400_000_000
ID_CHARACTERS, TIME_CHARACTERS = 32, 12
"""Of a decision's id, which begins with milliseconds since 1970."""


class Records:
    """Tells of logged decisions.

    Args:
        store: The log.
        placements: By name.
        retention: Says how long decisions are kept.
        clock: Says what is old.
    """

    def __init__(
        self,
        store: Store,
        placements: Mapping[str, Placement],
        retention: RetentionSettings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._placements = placements
        self._retention = retention
        self._clock = clock

    async def decision(self, decision_id: str, owner: str | None = None) -> dict[str, Any]:
        """Everything about one decision.

        Args:
            decision_id: From its answer.
            owner: Whose key asks: only decisions of the same are known to it. None for the shop's
                own, which knows all.

        Returns:
            The body of a `RecordResponse`.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        record = await self._store.record(decision_id)
        if record is None or (owner is not None and record.row.owner != owner):
            raise NotFoundError("decision_id", decision_id, self._why_not(decision_id))
        placement = self._placements.get(record.row.placement)
        return told(record, placement)

    def _why_not(self, decision_id: str) -> str:
        kept, made_us = self._retention.decisions_days, _made_us(decision_id)
        if kept is not None and 0 < made_us < self._clock.now_us() - kept * DAY_US:
            day = from_us(made_us).date().isoformat()
            return (
                f"no such decision in the log: it is of {day} by its id, and [retention] keeps "
                f"decisions for {kept} days"
            )
        return "no such decision in the log, or none any more: erased with its visitor"


def told(record: DecisionRecord, placement: Placement | None) -> dict[str, Any]:
    """The body of a `RecordResponse`.

    Args:
        record: Of the log.
        placement: Its placement as it is now; None where it is configured no more.
    """
    row = record.row
    is_current = placement is not None and placement.version == row.policy_version
    expected = _expected(placement, row) if placement is not None and is_current else None
    return {
        "decision_id": row.decision_id,
        "row": record.seq,
        "placement": row.placement,
        "visitor": row.visitor,
        "owner": row.owner,
        "decided_at": from_us(row.decided_at_us),
        "closes_at": from_us(row.closes_at_us),
        "list_id": row.list_id,
        "slot": row.slot,
        "action": row.action_id,
        "kind": row.kind,
        "channel": row.channel,
        "matched_on": row.match_value,
        "probability": row.probability,
        "price_cents": row.price_cents,
        "price_of": row.price_of,
        "density": row.density,
        "prices": _prices(row),
        "default": row.reason is not None,
        "reason": row.reason,
        "group": row.visitor_group,
        "segment": row.segment,
        "context": _named(_names(record, "context"), np.frombuffer(row.context or b"", np.float32)),
        "candidates": [*_eligible(record, expected), *_refused(row)],
        "policy": _policy(record, is_current=is_current),
        "shown": _shown(record, placement),
        "reward": record.reward,
        "rewards": [_reward(entry) for entry in record.rewards],
        "settlements": [
            {"units": one.units, "cents": one.cents, "at": from_us(one.at_us)}
            for one in record.settlements
        ],
    }


def _eligible(
    record: DecisionRecord, expected: npt.NDArray[np.float64] | None
) -> Iterator[dict[str, Any]]:
    row, names = record.row, _names(record, "features")
    ids = json.loads(row.candidates)
    reasons = json.loads(row.reasons or "{}")  # of a default that is shown nevertheless
    probabilities = np.frombuffer(row.probabilities).tolist()
    features = np.frombuffer(row.features or b"", np.float32).reshape(len(ids), -1)
    costs = None if row.costs is None else np.frombuffer(row.costs).tolist()
    for i in sorted(range(len(ids)), key=lambda i: i != row.chosen):
        yield {
            "id": ids[i],
            "probability": probabilities[i],
            "reason": reasons.get(ids[i], "eligible"),
            "expected": None if expected is None else float(expected[i]),
            "cost": None if costs is None else costs[i],
            "features": _named(names, features[i]),
        }


def _refused(row: DecisionRow) -> Iterator[dict[str, Any]]:
    reasons = json.loads(row.reasons or "{}")
    reasons.pop(row.action_id, None)
    for name, reason in reasons.items():
        yield {
            "id": name, "probability": 0.0, "reason": reason, "expected": None, "cost": None,
            "features": {},
        }  # fmt: skip


def _expected(placement: Placement, row: DecisionRow) -> npt.NDArray[np.float64] | None:
    """What the policy expects of each candidate; None of a default, which nothing scored."""
    if row.context is None or row.layout != placement.layout:
        return None
    ids = tuple(json.loads(row.candidates))
    features = np.frombuffer(row.features or b"", np.float32).reshape(len(ids), -1)
    context = np.frombuffer(row.context, np.float32)
    return placement.policy.expected_rewards(context, Candidates(ids, features))


def _policy(record: DecisionRecord, *, is_current: bool) -> dict[str, Any]:
    version, deciders = Version.of(record.row.policy_version), record.deciders
    return {
        "version": record.row.policy_version,
        "configuration": None if version is None else version.fingerprint,
        "learned_through": None if version is None else version.learned_through,
        "step": record.row.lineup,
        "parameters": None if deciders is None else deciders.parameters,
        "is_current": is_current,
    }


def _shown(record: DecisionRecord, placement: Placement | None) -> bool | None:
    if any(entry.source == ACTIVATION for entry in record.rewards):
        return True
    asked = placement is not None and placement.reward.activation == SHOWN
    return False if asked else None


def _reward(entry: RewardEntry) -> dict[str, Any]:
    return {
        "row": entry.seq,
        "reward_id": entry.reward_id,
        "value": entry.value,
        "source": entry.source,
        "worth": entry.worth,
        "event": entry.event,
        "message_id": entry.message_id,
        "received_at": from_us(entry.received_at_us),
    }


def _prices(row: DecisionRow) -> dict[str, int] | None:
    if row.prices is None:
        return None
    first, last, step = json.loads(row.prices)
    return {"first_cents": first, "last_cents": last, "step_cents": step}


def _names(record: DecisionRecord, part: str) -> Sequence[str]:
    return [] if record.layout is None else record.layout[part]


def _named(names: Sequence[str], values: npt.NDArray[np.float32]) -> dict[str, float]:
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if value}


def _made_us(decision_id: str) -> int:
    """When an id was made; 0 for what is none."""
    if len(decision_id) != ID_CHARACTERS or not set(decision_id) <= set("0123456789abcdef"):
        return 0
    return int(decision_id[:TIME_CHARACTERS], 16) * 1000
