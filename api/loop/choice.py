"""What was chosen, and how it is written: as a row of the log, as the answer to the storefront.

Between `api.loop.decide`, which makes a choice, and those who are told of it.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from api.loop.placement import Choices, Placement
from api.loop.pricing import DrawnPrice
from api.storage.base import DecisionRow
from policy.catalog.eligibility import Reason

NONE: Mapping[str, Reason] = {}


class Choice(NamedTuple):
    """What was chosen, with all that went into it.

    Args:
        choices: The eligible candidates, or the default alone.
        probabilities: float64 over `choices`.
        expected: Expected reward of each.
        context: float32 (n_context,), or None when nothing was computed.
        features: float32 (n_candidates, n_shared), likewise.
        refused: Why each other candidate had no chance, by id.
        group: `control` or `treatment`; None without a holdout.
        reason: Why the default was taken; None for a choice.
        price: The price drawn for the action, at a placement with a price range.
        costs: What the policy subtracted from the scores; None where nothing costs anything.
        parts: Probability of what is shown by each policy at work; None where only one is.
    """

    choices: Choices
    chosen: int
    probabilities: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    segment: str | None
    context: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None
    refused: Mapping[str, Reason] = NONE
    group: str | None = None
    reason: str | None = None
    price: DrawnPrice | None = None
    costs: npt.NDArray[np.float64] | None = None
    parts: tuple[float, ...] | None = None

    @property
    def probability(self) -> float:
        """Of what is shown: of the action, and of its price where that was drawn."""
        return float(self.probabilities[self.chosen]) * (
            self.price.probability if self.price else 1
        )

    @property
    def price_cents(self) -> int | None:
        """The price to show, where there is one."""
        if self.price is not None:
            return self.price.cents
        return self.choices.actions[self.chosen].price_cents

    @property
    def density(self) -> float | None:
        """Of a price that was drawn, per cent."""
        return None if self.price is None else self.price.density

    @property
    def prices(self) -> str | None:
        """Those that the price was drawn from, as they are logged."""
        if self.price is None or self.price.allowed is None:
            return None
        allowed = self.price.allowed
        return f"[{allowed.start}, {allowed[-1]}, {allowed.step}]"


def default_choice(
    placement: Placement,
    reason: str,
    refused: Mapping[str, Reason] = NONE,
    group: str | None = None,
) -> Choice:
    """The placement's default, with probability 1."""
    return Choice(
        placement.default,
        0,
        np.ones(1),
        np.zeros(1),
        None,
        None,
        None,
        refused,
        group,
        reason,
    )


def to_row(
    placement: Placement, choice: Choice, decision_id: str, visitor: str, now_us: int, version: str
) -> DecisionRow:
    """The choice as it is logged."""
    action = choice.choices.actions[choice.chosen]
    context, features = choice.context, choice.features
    return DecisionRow(
        decision_id,
        visitor,
        placement.name,
        now_us,
        now_us + placement.window_us,
        version,
        None if context is None else placement.layout,
        choice.segment,
        action.id,
        placement.matched(action),
        choice.chosen,
        choice.probability,
        choice.reason,
        choice.choices.ids_json,
        choice.probabilities.tobytes(),
        None if context is None else context.tobytes(),
        None if features is None else features.tobytes(),
        json.dumps(choice.refused) if choice.refused else None,
        choice.group,
        action.kind,
        action.channel,
        choice.price_cents,
        action.price_of,
        density=choice.density,
        costs=None if choice.costs is None else choice.costs.tobytes(),
        prices=choice.prices,
        lineup=placement.lineup.step,
        parts=None if choice.parts is None else np.array(choice.parts).tobytes(),
    )


def to_answer(choice: Choice, decision_id: str | None, version: str) -> dict[str, Any]:
    """The choice as the body of a `DecisionResponse`."""
    action = choice.choices.actions[choice.chosen]
    return {
        "decision_id": decision_id,
        "action": {"id": action.id, "kind": action.kind, "payload": _parsed(action.payload)},
        "probability": choice.probability,
        "price_cents": choice.price_cents,
        "density": choice.density,
        "ranking": _ranking(choice),
        "segment": choice.segment,
        "group": choice.group,
        "policy_version": version,
        "default": choice.reason is not None,
        "reason": choice.reason,
    }


def _ranking(choice: Choice) -> list[dict[str, Any]]:
    """The chosen one, the other eligible ones by what they are expected to earn, the refused."""
    ids, refused = choice.choices.ids, choice.refused
    probabilities = choice.probabilities.tolist()
    expected = choice.expected.tolist()
    order = sorted(range(len(ids)), key=expected.__getitem__, reverse=True)
    order.remove(choice.chosen)
    ranking = [
        {"id": ids[i], "probability": probabilities[i], "reason": "eligible"}
        for i in (choice.chosen, *order)
    ]
    if refused:
        name = ids[choice.chosen]
        ranking[0]["reason"] = refused.get(name, "eligible")  # a default that is shown nevertheless
        ranking += [
            {"id": other, "probability": 0.0, "reason": reason}
            for other, reason in refused.items()
            if other != name
        ]
    return ranking


@lru_cache(4096)
def _parsed(payload: str) -> Any:
    """A payload as it is answered; nobody changes it."""
    return json.loads(payload)
