"""Our default against each peer's best setting on each set, and the claims that rest on it.

Where it stands: the last step before the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.bakeoff.ours import DEFAULT
from benchmarks.bakeoff.ridge import YARDSTICK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.bakeoff.learner import Setting
    from benchmarks.bakeoff.scores import Scores

LARGEST_LAG = 0.02
SMALLEST_LEAD = 0.02


@dataclass(frozen=True, slots=True)
class Duel:
    """Our default against a family's best setting on one set, which is chosen in hindsight."""

    set_name: str
    family: str
    setting: str
    difference: float
    p: float
    verdict: int


@dataclass(frozen=True, slots=True)
class Check:
    """A claim, what was measured, and whether it holds."""

    claim: str
    measured: float
    holds: bool


def duels(scores: Scores, settings: Sequence[Setting]) -> list[Duel]:
    """Every set and every family but ours; none if our default did not run."""
    if DEFAULT not in scores.settings:
        return []
    return [
        _duel(scores, family, members, set_name)
        for family, members in families(scores, settings).items()
        if family != "ours"
        for set_name in scores.set_names
    ]


def families(scores: Scores, settings: Sequence[Setting]) -> Mapping[str, list[str]]:
    """The names of the settings that ran, by family."""
    grouped: dict[str, list[str]] = {}
    for setting in settings:
        if setting.name in scores.settings:
            grouped.setdefault(setting.family, []).append(setting.name)
    return grouped


def checks(fought: Sequence[Duel]) -> list[Check]:
    """What the project claims of its default; empty where there was nobody to compare with."""
    advantage = {family: _mean_difference(ones) for family, ones in _by_family(fought).items()}
    peers = [duel for duel in fought if duel.family != YARDSTICK]
    found = []
    if peers:
        nearest = min(advantage[duel.family] for duel in peers)
        balance = min(sum(d.verdict for d in ones) for ones in _by_family(peers).values())
        lag = min(duel.difference for duel in peers)
        found += [
            Check("average above every peer's", nearest, nearest > 0.0),
            Check("wins minus losses above 0 against every peer", balance, balance > 0),
            Check("on no set more than .02 below the best peer", lag, lag >= -LARGEST_LAG),
        ]
    if YARDSTICK in advantage:
        lead = advantage[YARDSTICK]
        found.append(Check("average at least .02 above the numpy row", lead, lead >= SMALLEST_LEAD))
    return found


def _duel(scores: Scores, family: str, members: Sequence[str], set_name: str) -> Duel:
    setting = scores.best(DEFAULT, members, set_name)
    compared = scores.compare(DEFAULT, setting, set_name)
    return Duel(set_name, family, setting, compared.difference, compared.p, compared.verdict)


def _by_family(fought: Sequence[Duel]) -> Mapping[str, list[Duel]]:
    grouped: dict[str, list[Duel]] = {}
    for duel in fought:
        grouped.setdefault(duel.family, []).append(duel)
    return grouped


def _mean_difference(fought: Sequence[Duel]) -> float:
    return sum(duel.difference for duel in fought) / len(fought)
