"""What Personalizer's clients are answered: from a list just filled, or from the log."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from api.loop.decide import Asked
from api.loop.errors import ConflictError
from api.schemas.decision import SlotRequest
from api.storage.base import DecisionRow


def rank_answer(event_id: str, slot: dict[str, Any]) -> dict[str, Any]:
    """The body of a `RankResponse`."""
    decision = slot["decision"]
    return {
        "ranking": [
            {"id": one["id"], "probability": one["probability"]} for one in decision["ranking"]
        ],
        "eventId": event_id,
        "rewardActionId": decision["action"]["id"],
    }


def multi_slot_answer(event_id: str, slots: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The body of a `MultiSlotRankResponse`."""
    return {"eventId": event_id, "slots": [_slot_answer(slot) for slot in slots]}


def repeated_slots(
    event_id: str, rows: Sequence[DecisionRow], slots: Sequence[SlotRequest], asked: Asked
) -> list[dict[str, Any]]:
    """What was decided when the event was ranked first.

    The log does not keep what was expected of the others: they come by their probability.

    Args:
        event_id: As the client knows it.
        rows: Of the event; none where its id is that of some other decision.
        slots: That the request names.
        asked: What it asks now.

    Raises:
        ConflictError: It asks for other slots, or other actions.
    """
    of_slot = {row.slot: row for row in rows}
    known = set(asked.choices.ids)
    fits = bool(rows) and of_slot.keys() <= {slot.id for slot in slots}
    if not fits or any(not known.issuperset(json.loads(row.candidates)) for row in rows):
        rule = "was ranked before with other actions or slots; an event id names one rank"
        raise ConflictError("eventId", event_id, rule)
    return [_logged(slot.id, of_slot.get(slot.id)) for slot in slots]


def _logged(slot: str, row: DecisionRow | None) -> dict[str, Any]:
    if row is None:
        return {"slot": slot, "decision": None}
    ids: list[str] = json.loads(row.candidates)
    probabilities = np.frombuffer(row.probabilities)
    others = [i for i in np.argsort(-probabilities, kind="stable") if i != row.chosen]
    refused = [name for name in json.loads(row.reasons or "{}") if name != row.action_id]
    order = (row.chosen, *others)
    ranking = [{"id": ids[i], "probability": float(probabilities[i])} for i in order]
    ranking += [{"id": name, "probability": 0.0} for name in refused]
    return {
        "slot": slot,
        "decision": {
            "decision_id": row.decision_id,
            "action": {"id": row.action_id},
            "ranking": ranking,
        },
    }


def _slot_answer(slot: dict[str, Any]) -> dict[str, str]:
    decision = slot["decision"]
    answer: dict[str, str] = {"id": slot["slot"]}
    return answer if decision is None else answer | {"rewardActionId": decision["action"]["id"]}
