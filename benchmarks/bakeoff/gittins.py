"""gittins (Rust) behind the bake-off's learner.

Where it stands: one of the peers.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.bakeoff.learner import Choice, Contexts, Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

BITS = 20
HORIZON_ROUNDS = 10.0


class Gittins:
    """It draws the action itself and resolves its own decisions by their id."""

    def __init__(self, n_features: int, n_actions: int, seed: int, **parameters: float) -> None:
        del n_features  # it hashes names
        self.gittins = importlib.import_module("gittins")
        self.state = self.gittins.create(bits=BITS, horizon=HORIZON_ROUNDS, **parameters)
        self.candidates: list[tuple[str, dict[str, float]]] = [
            (f"class-{action}", {}) for action in range(n_actions)
        ]
        self.salt = f"seed-{seed}"
        self.round = 0
        self.decision_id = ""

    def prepare(self, contexts: Contexts) -> Sequence[dict[str, float]]:
        """Named numbers, zeros left out."""
        names = [f"f{feature}" for feature in range(contexts.shape[1])]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value}
            for row in contexts.tolist()
        ]

    def choose(self, context: dict[str, float]) -> Choice:
        """Its own draw."""
        self.round += 1
        record = self.gittins.decide(
            self.state, context, self.candidates, float(self.round), self.salt
        )
        self.decision_id = record.decision_id
        return Choice(record.chosen, record.propensity)

    def learn(self, context: dict[str, float], choice: Choice, reward: float) -> None:
        """Resolves the decision that was just made."""
        del context, choice  # in its ledger
        self.gittins.learn(self.state, self.decision_id, reward, float(self.round))


def _setting(name: str, **parameters: Any) -> Setting:
    return Setting(f"gittins-{name}", "gittins", partial(Gittins, **parameters), package="gittins")


SETTINGS = (
    _setting("default"),
    _setting("epsilon-0.02", epsilon=0.02, forgetfulness=1.0),
    _setting("greedy", epsilon=0.0, forgetfulness=1.0),
)
