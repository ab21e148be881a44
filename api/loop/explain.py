"""Explain: what the policies know of their actions, and why a logged decision scores as it does.

For people, off the decision path. It reads the models as they are now: a decision is explained by
what has been learned since as well, and the answer says by which version.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from api.loop.clock import from_us
from api.loop.errors import NotFoundError
from api.loop.placement import Placement
from api.loop.teach import Vector, by_name
from api.section import nearest
from api.storage.base import DecisionRow, Store
from policy.bandits.arm_record import ArmSummary
from policy.base import Candidates

MOST_EXPLAINED = 20
"""Candidates of one decision: the one that was chosen, and those that score highest."""
N_CONTRIBUTIONS = 8


class Explainer:
    """Answers what can be asked of a placement's policy.

    Args:
        store: The log.
        placements: By name.

    Attributes:
        layouts: Names of logged vectors' entries, from `Store.layouts`; set when it is open.
    """

    def __init__(self, store: Store, placements: Mapping[str, Placement]) -> None:
        self._store = store
        self._placements = placements
        self.layouts: Mapping[int, Mapping[str, Sequence[str]]] = {}

    def actions(self, name: str) -> dict[str, Any]:
        """What came of each action of a placement, as the body of an `ActionsResponse`.

        Raises:
            NotFoundError: Unknown placement.
        """
        placement = self._placements.get(name)
        if placement is None:
            rule = f"no such placement{nearest(name, self._placements)}"
            raise NotFoundError("placement", name, rule)
        learned = {arm.action_id: _arm(arm) for arm in placement.policy.summary()}
        ids = placement.choices.ids
        if placement.pricing is not None:
            ids = placement.pricing.policy.bins.ids
        numbers: dict[str, Mapping[str, Any]] = dict.fromkeys(ids, NOT_LEARNED)
        return {
            "placement": name,
            "policy_version": placement.version,
            "of": "actions" if placement.pricing is None else "prices",
            "actions": [
                {"id": action_id, "configured": action_id in numbers, **arm}
                for action_id, arm in (numbers | learned).items()
            ],
        }

    async def decision(self, decision_id: str, owner: str | None = None) -> dict[str, Any]:
        """Why the candidates of a logged decision score as they do now.

        Args:
            decision_id: From its answer.
            owner: Whose key asks: only decisions of the same are known to it. None for the shop's
                own, which knows all.

        Returns:
            The body of an `ExplanationResponse`.

        Raises:
            NotFoundError: No such decision, or its placement is not configured any more.
        """
        row = await self._store.decision(decision_id)
        if row is None or (owner is not None and row.owner != owner):
            raise NotFoundError("decision_id", decision_id, "no such decision in the log")
        placement = self._placements.get(row.placement)
        if placement is None:
            rule = f"its placement {row.placement!r} is not configured any more"
            raise NotFoundError("decision_id", decision_id, rule)
        return {
            "decision_id": decision_id,
            "placement": row.placement,
            "decided_at": from_us(row.decided_at_us),
            "action": row.action_id,
            "price_cents": row.price_cents,
            "policy_version": row.policy_version,
            "explained_by": placement.version,
            "default": row.reason is not None,
            "reason": row.reason,
            "n_candidates": len(json.loads(row.candidates)),
            "candidates": [] if row.context is None else self._explained(placement, row),
        }

    def _explained(self, placement: Placement, row: DecisionRow) -> list[dict[str, Any]]:
        ids = json.loads(row.candidates)
        context, features = self._seen(placement, row, len(ids))
        everything = Candidates(tuple(ids), features)
        expected = placement.policy.expected_rewards(context, everything)
        order = sorted(range(len(ids)), key=lambda i: (i != row.chosen, -expected[i]))
        order = order[:MOST_EXPLAINED]
        names = tuple(ids[i] for i in order)
        found = placement.policy.explain(context, Candidates(names, features[order]))
        of_context = [f"context.{name}" for name in placement.contexts.names]
        of_pair = [f"pair.{name}" for name in placement.feature_names]
        probabilities = np.frombuffer(row.probabilities)
        return [
            {
                "id": name,
                "probability": float(probabilities[i]),
                "expected": float(found.expected[k]),
                "deviation": _finite(found.deviations[k]),
                "contributions": [
                    {"feature": feature, "value": value}
                    for feature, value in found.largest(name, of_context, of_pair, N_CONTRIBUTIONS)
                ],
            }
            for k, (i, name) in enumerate(zip(order, names, strict=True))
        ]

    def _seen(self, placement: Placement, row: DecisionRow, n: int) -> tuple[Vector, Vector]:
        """What the policy saw, in the names of today."""
        context = np.frombuffer(row.context or b"", np.float32)
        features = np.frombuffer(row.features or b"", np.float32).reshape(n, -1)
        if row.layout == placement.layout:
            return context, features
        names, known = self.layouts[row.layout or 0], placement.feature_names
        translated = [by_name(each, names["features"], known) for each in features]
        return by_name(context, names["context"], placement.contexts.names), np.array(translated)


def _arm(arm: ArmSummary) -> dict[str, Any]:
    low, high = arm.interval
    return {
        "n": arm.n,
        "mean_reward": _finite(arm.mean_reward),
        "low": _finite(low),
        "high": _finite(high),
        "p_best": _finite(arm.p_best),
        "bias": _finite(arm.bias),
        "dispersion": _finite(arm.dispersion),
    }


def _finite(value: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


NOT_LEARNED: Mapping[str, Any] = _arm(
    ArmSummary("", 0, math.nan, (math.nan, math.nan), math.nan, math.nan, math.nan)
)
