"""Vowpal Wabbit 9.11 behind the bake-off's learner.

Where it stands: one of the peers.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.bakeoff.learner import Choice, Contexts, Setting, with_constant
from policy.base import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class VowpalWabbit:
    """Each action has its own weights: the context crossed with the action's name."""

    def __init__(
        self, n_features: int, n_actions: int, seed: int, *, options: str, worst: float
    ) -> None:
        del n_features  # it hashes names
        workspace = importlib.import_module("vowpalwabbit").Workspace
        self.vw = workspace(
            f"--quiet --cb_explore_adf --interactions xa --ignore_linear x --noconstant "
            f"--ignore_linear a --random_seed {seed + 1} {options}"
        )
        self.worst = worst
        self.rng = np.random.default_rng(seed)
        self.actions = [f"|a {action}" for action in range(n_actions)]

    def prepare(self, contexts: Contexts) -> Sequence[str]:
        """Its text format, zeros left out."""
        return [
            "shared |x " + " ".join(f"{i}:{v:.6g}" for i, v in enumerate(row) if v)
            for row in with_constant(contexts).tolist()
        ]

    def choose(self, context: str) -> Choice:
        """One draw from its probabilities."""
        probabilities = np.asarray(self.vw.predict([context, *self.actions]))
        action = draw(probabilities, self.rng.random())
        return Choice(action, float(probabilities[action]))

    def learn(self, context: str, choice: Choice, reward: float) -> None:
        """A labelled line at the chosen action, with the probability it was drawn with."""
        lines = [context, *self.actions]
        label = f"0:{self.worst - reward}:{choice.propensity}"
        lines[choice.action + 1] = f"{label} {self.actions[choice.action]}"
        self.vw.learn(lines)


EXPLORERS = {
    "regcbopt": "--regcbopt --mellowness 0.001 --cb_type mtr",
    "greedy": "--epsilon 0 --cb_type mtr",
    "squarecb": "--squarecb --gamma_scale 500 --cb_type mtr",
    "cover16": "--cover 16 --psi 0.1 --nounif --cb_type dr",
}
RATES = (0.5, 2.0)
COVER_RATES = (0.1, 0.5)
"""At higher ones cover earns less."""
WORST_COSTS = {"neg": 0.0, "01": 1.0}
"""The cost of reward 0, by the name of the encoding; that of reward 1 is lower by 1."""
QUADRATIC = "--interactions xxa"


def _settings() -> Iterator[Setting]:
    """Each explorer at each rate in each encoding, linear and, but for cover, quadratic."""
    for name, options in EXPLORERS.items():
        is_cover = name.startswith("cover")
        for rate in COVER_RATES if is_cover else RATES:
            for encoding in WORST_COSTS:
                yield _setting(name, f"{options} -l {rate}", rate, encoding)
                if not is_cover:
                    quadratic = f"{options} {QUADRATIC} -l {rate}"
                    yield _setting(f"{name}-quadratic", quadratic, rate, encoding)


def _setting(name: str, options: str, rate: float, encoding: str) -> Setting:
    worst = WORST_COSTS[encoding]
    if "--regcbopt" in options:
        options += f" --cb_min_cost {worst - 1.0} --cb_max_cost {worst}"
    make = partial(VowpalWabbit, options=options, worst=worst)
    return Setting(f"vw-{name}-l{rate:g}-{encoding}", "VW", make, package="vowpalwabbit")


SETTINGS = tuple(_settings())
