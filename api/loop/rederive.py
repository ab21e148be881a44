"""Rederive: a logged decision made again, bit for bit, from its model, its request and its id.

Behind `segue replay`. `api.loop.past` gives the model as it stood, the row what the policy saw, and
the decision's id is the key of its randomness (`api.loop.chance`); the same code then distributes
and draws. What the row says of itself is checked as well.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from api.loop.chance import Chance
from api.loop.lineup import Lineup
from api.loop.past import Origin, Past
from api.loop.placement import CONTROL, fingerprint_of
from api.storage.base import DecisionRow
from api.storage.record import Version
from policy.bandits.cats import Cats
from policy.base import Candidates, draw
from policy.catalog.price_range import nearest
from policy.errors import PolicyError

ROUNDING = 1e-9
"""Differences up to this come from the order in which a machine adds up."""


class Difference(NamedTuple):
    """One thing that came out otherwise.

    Args:
        field: Column of the log.
        logged: What the log says, in words.
        derived: What it should say.
        size: How far two numbers are apart; infinite where they are none.
    """

    field: str
    logged: str
    derived: str
    size: float = np.inf


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision that was derived again.

    Args:
        differences: From the log; empty where it is identical.
        model: That it was derived with, as it stood then; None where none was needed.
        obstacle: Why it could not be derived at all; None where it could.
        reasons: What may have caused the differences.
    """

    decision_id: str
    placement: str
    policy_version: str
    differences: tuple[Difference, ...] = ()
    model: Origin | None = None
    obstacle: str | None = None
    reasons: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether all came out as it is logged."""
        return self.obstacle is None and not self.differences

    @property
    def is_rounding(self) -> bool:
        """Whether what differs is no more than another machine's rounding."""
        return bool(self.differences) and all(one.size <= ROUNDING for one in self.differences)


class Drawn(NamedTuple):
    """What policies, their request and a decision's randomness come to.

    `parts` are the probabilities of what was drawn by champion and challenger, of a mixture.
    """

    probabilities: npt.NDArray[np.float64]
    chosen: int
    probability: float
    price_cents: int | None = None
    density: float | None = None
    parts: tuple[float, ...] = ()


def rederive(past: Past, row: DecisionRow, chance: Chance) -> Outcome:
    """Make a decision again.

    Args:
        past: Of its placement.
        row: As it is logged.
        chance: Where randomness comes from.
    """
    outcome = Outcome(row.decision_id, row.placement, row.policy_version)
    found = contradictions(row)
    if found or row.context is None:  # a default: nothing was drawn
        return replace(outcome, differences=tuple(found))
    deciders = past.deciders(row.lineup)
    if deciders is None or row.layout is None:
        rule = f"the log does not know which policies {row.placement!r} had then"
        return replace(outcome, obstacle=rule)
    fingerprint = fingerprint_of(deciders.parameters, past.names(row.layout))
    version = Version.of(row.policy_version)
    if version is None or version[:2] != (row.placement, fingerprint):
        should = f"{row.placement}.{fingerprint}@ROW"
        named = Difference("policy_version", row.policy_version, should)
        return replace(outcome, differences=(named,))
    try:
        made = past.at(deciders, row.layout, version.learned_through)
        found = _differences(row, _drawn(made.lineup, row, chance.of(row.decision_id)))
    except (PolicyError, ValueError) as error:
        return replace(outcome, obstacle=str(error))
    outcome = replace(outcome, model=made.origin)
    if not found:
        return outcome
    reasons = _reasons(past, made.origin, version.learned_through, row, found)
    return replace(outcome, differences=tuple(found), reasons=reasons)


def contradictions(row: DecisionRow) -> list[Difference]:
    """Where a row contradicts itself, whatever its model was."""
    ids = json.loads(row.candidates)
    probabilities = np.frombuffer(row.probabilities)
    if len(ids) != len(probabilities) or not 0 <= row.chosen < len(ids):
        many = f"{len(probabilities)} of {len(ids)} candidates, {row.chosen} chosen"
        return [Difference("probabilities", many, "one of each candidate")]
    found = [*_differs("action_id", row.action_id, ids[row.chosen])]
    if row.density is None:
        found += _differs("probability", row.probability, float(probabilities[row.chosen]))
    if row.context is None or row.visitor_group == CONTROL:
        found += _differs("probabilities", _list(probabilities), "[1.0]")
    return found


def _drawn(lineup: Lineup, row: DecisionRow, rng: np.random.Generator) -> Drawn:
    """The decision as its policies make it."""
    policy = lineup.champion.policy
    context = np.frombuffer(row.context or b"", np.float32)
    ids = tuple(json.loads(row.candidates))
    if isinstance(policy, Cats):
        return _priced(policy, context, row, rng)
    logged = np.frombuffer(row.parts or b"")
    if lineup.challenger is not None and len(logged) > 1 and np.isnan(logged[1]):
        raise ValueError("its challenger failed, which nothing in the log can repeat")
    features = np.frombuffer(row.features or b"", np.float32).reshape(len(ids), policy.n_shared)
    costs = None if row.costs is None else np.frombuffer(row.costs)
    scored = lineup.decide(context, Candidates(ids, features, costs), rng)
    chosen, probabilities = draw(scored.probabilities, rng.random()), scored.probabilities
    parts = tuple(float(one[chosen]) for one in scored.parts if one is not None)
    return Drawn(probabilities, chosen, float(probabilities[chosen]), row.price_cents, parts=parts)


def _priced(
    policy: Cats, context: npt.NDArray[np.float32], row: DecisionRow, rng: np.random.Generator
) -> Drawn:
    if row.density is None:  # the control group's own price
        return Drawn(np.ones(1), 0, 1.0, row.price_cents)
    if row.prices is None:
        raise ValueError(
            "the prices that the guards left were not logged yet when this decision was made"
        )
    first, last, step = json.loads(row.prices)
    allowed = range(first, last + 1, step)
    density = policy.density(context, allowed, rng)
    cents = nearest(allowed, density.draw(rng.random()))
    at_price = float(density.at(cents))
    return Drawn(np.ones(1), 0, at_price * step, cents, at_price)


def _differences(row: DecisionRow, drawn: Drawn) -> list[Difference]:
    logged = np.frombuffer(row.probabilities)
    parts = np.frombuffer(row.parts or b"")[: len(drawn.parts)]
    found = [
        *_differs("chosen", row.chosen, drawn.chosen),
        *_differs("probability", row.probability, drawn.probability),
        *_differs("price_cents", row.price_cents, drawn.price_cents),
        *_differs("density", row.density, drawn.density),
    ]
    if row.parts is not None and drawn.chosen == row.chosen:
        names = ("champion", "challenger")
        for name, part, derived in zip(names, parts, drawn.parts, strict=False):
            found += _differs(f"parts, {name}", float(part), derived)
    if logged.tobytes() != drawn.probabilities.tobytes():
        apart = float(abs(logged - drawn.probabilities).max())
        texts = _list(logged), _list(drawn.probabilities)
        found.append(Difference("probabilities", *texts, apart))
    return found


def _differs(field: str, logged: Any, derived: Any) -> list[Difference]:
    if logged == derived:
        return []
    both = isinstance(logged, float) and isinstance(derived, float)
    size = abs(logged - derived) if both else np.inf
    return [Difference(field, str(logged), str(derived), size)]


def _list(values: npt.NDArray[np.float64]) -> str:
    return str(values.tolist())


def _reasons(
    past: Past, origin: Origin, through: int, row: DecisionRow, found: Sequence[Difference]
) -> tuple[str, ...]:
    """What is known to make a model another one than it was."""
    reasons = []
    missing = past.missing(origin.snapshot, through)
    if missing:
        since = f"the snapshot at row {origin.snapshot}" if origin.snapshot else "the first row"
        reasons.append(
            f"{missing} rewards between {since} and row {through} are not in the log "
            "any more: they were too old, or of somebody who was erased"
        )
    erased = past.erasures_since(row.decided_at_us)
    if erased:
        reasons.append(f"{erased} visitors that the model had learned from were erased since")
    if origin.numpy not in ("", np.__version__):
        reasons.append(f"its snapshot was made with numpy {origin.numpy}; here is {np.__version__}")
    if all(one.size <= ROUNDING for one in found):
        reasons.append("no more than rounding: made on another processor, or by another numpy")
    if not reasons:
        reasons.append(
            "nothing in the log accounts for it: the decision, a reward that was learned before "
            "it, or a saved model was changed by hand"
        )
    return tuple(reasons)
