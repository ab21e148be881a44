"""Which policies of a placement decide, try, watch or stand by: one value, swapped as a whole.

Between the placement, whose decisions it makes, and `api.loop.roster`, which changes it. Every
policy learns every reward of its placement from its own place in the log on, whatever it does
meanwhile: so its model is a fold over the log, and changing roles changes no model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from policy.base import Candidates, Policy
from policy.mixture import mix

log = structlog.get_logger()

Probabilities = npt.NDArray[np.float64]
CONFIGURED, CHALLENGER = "configured", "challenger"
"""Names of what `[placements.policy]` and `[placements.challenger]` say."""


@dataclass(slots=True, eq=False)
class Model:
    """A policy of a placement, with how far into the log of rewards it has learned.

    Args:
        spec: Its kind and parameters.
        learns_after: Place in the log behind which it learns.
        learned_through: Place of the last reward that it learned.
        n_rewarded: Decisions rewarded up to there.
        reward_sum: What they earned.
        n_failed: Decisions at which it failed on trial, since the start.
    """

    name: str
    version: int
    spec: Mapping[str, object]
    policy: Policy
    learns_after: int = 0
    learned_through: int = 0
    n_rewarded: int = 0
    reward_sum: float = 0.0
    n_failed: int = 0

    def __post_init__(self) -> None:
        self.learned_through = max(self.learned_through, self.learns_after)

    @property
    def key(self) -> str:
        """Name and version.

        Example:
            >>> from policy.bandits.build import make_policy
            >>> Model("bold", 2, {}, make_policy("lints", 1, 0)).key
            'bold@2'
        """
        return f"{self.name}@{self.version}"


class Scored(NamedTuple):
    """What a lineup says of the candidates.

    Args:
        probabilities: float64 (n_actions,).
        expected: Reward that the champion expects of each.
        parts: Those of the champion and of the challenger, where there is one.
    """

    probabilities: Probabilities
    expected: npt.NDArray[np.float64]
    parts: tuple[Probabilities | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """What each policy of a placement does.

    Args:
        champion: Decides.
        challenger: Takes a share of the decisions.
        share: That share.
        shadows: Are asked what they would do, and not followed.
        fallback: Was the champion before, and is ready to be it again; it may be the challenger.
        step: The step that brought it about, see `api.storage.trial.StepRow`.
        trial: The step since which champion, challenger and share are the same.
    """

    champion: Model
    challenger: Model | None = None
    share: float = 0.0
    shadows: tuple[Model, ...] = ()
    fallback: Model | None = None
    step: int | None = None
    trial: int = 0
    learning: tuple[Model, ...] = field(init=False)

    def __post_init__(self) -> None:
        at_work = (self.champion, self.challenger, *self.shadows, self.fallback)
        models = {model.key: model for model in at_work if model is not None}
        object.__setattr__(self, "learning", tuple(models.values()))

    @property
    def is_watched(self) -> bool:
        """Whether the log holds the parts of its decisions."""
        return self.challenger is not None or bool(self.shadows)

    def role(self, model: Model) -> str:
        """`champion`, `mixture`, `shadow`, `fallback` or, of one that is not at work, `kept`."""
        if model is self.champion:
            return "champion"
        if model is self.challenger:
            return "mixture"
        if model in self.shadows:
            return "shadow"
        return "fallback" if model is self.fallback else "kept"

    def decide(
        self, context: npt.NDArray[np.float32], candidates: Candidates, rng: np.random.Generator
    ) -> Scored:
        """The probability of each candidate, exactly as it is drawn from.

            p = (1 - share) p_champion + share p_challenger

        with the exploration floor in both. A challenger that fails takes no part in this decision.

        Args:
            context: (n_context,).
            candidates: At least one.
            rng: Of the decision; the challenger draws from it after the champion.
        """
        ours, expected = self.champion.policy.decide(context, candidates, rng)
        if self.challenger is None:
            return Scored(ours, expected, (ours,) if self.shadows else ())
        theirs = _asked(self.challenger, context, candidates, rng)
        if theirs is None:
            return Scored(ours, expected, (ours, None))
        return Scored(mix(ours, theirs, self.share), expected, (ours, theirs))

    def parts(
        self,
        scored: Scored,
        chosen: int,
        context: npt.NDArray[np.float32],
        candidates: Candidates,
        stream: Callable[[int], np.random.Generator],
    ) -> tuple[float, ...]:
        """The probability of what was drawn by each policy at work; NaN by one that failed.

        Args:
            scored: From `decide`.
            chosen: What was drawn from it.
            context: As there.
            candidates: As there.
            stream: Randomness of the decision that the draw did not use, by number from 1.
        """
        said = [*scored.parts]
        for number, shadow in enumerate(self.shadows, 1):
            said.append(_asked(shadow, context, candidates, stream(number)))
        return tuple(float("nan") if one is None else float(one[chosen]) for one in said)

    @property
    def parameters(self) -> dict[str, object]:
        """Kinds and parameters of those who decide."""
        said = dict(self.champion.spec)
        if self.challenger is not None:
            said["challenger"] = {"share": self.share, **self.challenger.spec}
        return said

    def described(self) -> dict[str, object]:
        """By keys, as steps keep it."""
        return {
            "champion": self.champion.key,
            "challenger": self.challenger and self.challenger.key,
            "share": self.share,
            "shadows": [shadow.key for shadow in self.shadows],
            "fallback": self.fallback and self.fallback.key,
            "trial": self.trial,
        }


def _asked(
    model: Model,
    context: npt.NDArray[np.float32],
    candidates: Candidates,
    rng: np.random.Generator,
) -> Probabilities | None:
    """What a policy on trial would do; None where it fails, which must cost no decision."""
    try:
        return model.policy.distribution(context, candidates, rng)
    except Exception as error:
        model.n_failed += 1
        if not model.n_failed & (model.n_failed - 1):  # each time twice as many: no flood
            error_shown = repr(error)[:200]
            log.warning(
                "challenger_failed", policy=model.key, n_failed=model.n_failed, error=error_shown
            )
        return None
