"""The best of many configurations, found in a log, and what it is worth once found.

Beside ``policy.ope.evaluate``. Whatever looks best among many looks better than it is. So the log
is split in its order: on the first half every learner learns, on the next quarter one is chosen,
and on the last quarter, which had no part in either, that one is judged. Its interval needs no
correction for having searched, however many were tried.

References:
    Cawley, Talbot. On Over-fitting in Model Selection and Subsequent Selection Bias in Performance
    Evaluation. JMLR 2010.
    Fithian, Sun, Taylor. Optimal Inference After Model Selection. arXiv 1410.2597, 2014 (data
    splitting).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.evaluate import Question, evaluate
from policy.ope.progressive import batch_of
from policy.ope.slices import between, count_rows
from policy.ope.targets import Constant, Learned, Logged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.base import Policy
    from policy.ope.log import Decisions
    from policy.ope.results import Estimate, Result
    from policy.ope.slices import Chunks
    from policy.ope.targets import Target

    Learner = Callable[[Decisions], Policy]

FEWEST_ROWS = 8
MOST_CONSTANTS = 50
ALWAYS = "always:"
LOGGED = "logged"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the winner earns beyond another policy, on the rows that judge.

    Args:
        baseline: The other: ``logged``, or the single action that looked best on the rows that
            chose.
        advantage: Doubly robust; its interval holds together with that of the other comparison
            (Bonferroni).
    """

    baseline: str
    advantage: Estimate

    @property
    def is_clear(self) -> bool:
        """Whether the winner earns more, beyond chance."""
        return self.advantage.interval.low > 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Args:
        winner: Name of the candidate.
        tried: Every candidate on the rows that chose, the best first; those that the log cannot
            tell of last.
        judged: The winner on the rows that had no part in choosing it.
        comparisons: With what was done, and with the best single action.
        n_rows: How many taught, chose and judged.
    """

    winner: str
    tried: tuple[Result, ...]
    judged: Result
    comparisons: tuple[Comparison, ...]
    n_rows: tuple[int, int, int]

    @property
    def is_better(self) -> bool:
        """Whether the winner clearly beats all that it is compared with, and the log can tell."""
        clear = all(one.is_clear for one in self.comparisons)
        return clear and bool(self.comparisons) and self.judged.diagnosis.answerable


def search(
    chunks: Chunks,
    learners: Mapping[str, Learner],
    *,
    level: float = 0.95,
    on_rows: Callable[[int], None] = lambda n: None,
) -> Found:
    """Find the best of many learners.

    Args:
        chunks: Gives the log's chunks, in order, as often as it is called.
        learners: By name; each makes a fresh policy, given the first rows.
        level: Of the intervals, in (0, 1).
        on_rows: Told how many rows were learned, for a progress bar.

    Raises:
        EvaluationError: No learner, too few rows, or a log that can tell of none of them.
        LogError: Rows that cannot be used.

    Example:
        >>> from policy.bandits.build import make_policy
        >>> from policy.ope.log import Decisions
        >>> rows = np.arange(4000)
        >>> log = Decisions(("a", "b"), rows % 2, (rows % 2) * 1.0, np.full(4000, 0.5),
        ...                 np.ones((4000, 1)))
        >>> found = search(lambda: [log], {
        ...     f"epsilon {e}": lambda log, e=e: make_policy("epsilon_greedy", 1, 0, epsilon=e)
        ...     for e in (0.9, 0.1)})
        >>> found.winner, found.is_better
        ('epsilon 0.1', False)
        >>> [(one.baseline, one.is_clear) for one in found.comparisons]
        [('always:b', False)]
    """
    if not learners:
        raise EvaluationError("nothing to search: name at least one kind of policy")
    n_rows = count_rows(chunks)
    if n_rows < FEWEST_ROWS:
        raise EvaluationError(f"{n_rows} rows: at least {FEWEST_ROWS} are needed to search")
    half, third = n_rows // 2, n_rows * 3 // 4
    policies: dict[str, Policy] = {}
    for log in between(chunks, 0, half):
        policies = policies or {name: make(log) for name, make in learners.items()}
        _teach(policies, log, on_rows)
    constants, logged = _fixed(next(iter(between(chunks, 0, half))))
    learned: dict[str, Target] = {name: Learned(policy) for name, policy in policies.items()}
    chosen = evaluate(lambda: between(chunks, half, third), Question({**learned, **constants}))
    overall = [one for one in chosen.results if one.policy in policies]
    tried = sorted(overall, key=_rank)
    winner = tried[0].policy
    if not tried[0].diagnosis.answerable:
        raise EvaluationError(
            f"the log can tell of none of the {len(tried)} candidates: "
            f"{tried[0].diagnosis.reasons[0]}"
        )
    for log in between(chunks, half, third):
        _teach({winner: policies[winner]}, log, on_rows)
    best = [one for one in chosen.results if one.policy in constants and one.diagnosis.answerable]
    baselines = dict(logged)
    if best:
        name = max(best, key=lambda one: one.best.value).policy
        baselines[name] = constants[name]
    judged, comparisons = _judged(
        lambda: between(chunks, third, n_rows), winner, learned[winner], baselines, level
    )
    return Found(winner, tuple(tried), judged, comparisons, (half, third - half, n_rows - third))


def _teach(policies: Mapping[str, Policy], log: Decisions, on_rows: Callable[[int], None]) -> None:
    batch = batch_of(log)
    for policy in policies.values():
        policy.update(batch)
        on_rows(log.n_rows)


def _fixed(log: Decisions) -> tuple[dict[str, Target], dict[str, Target]]:
    """Every single action, and what was done, as far as the log knows it."""
    constants: dict[str, Target] = {}
    if log.n_actions <= MOST_CONSTANTS:
        constants = {ALWAYS + action: Constant(action) for action in log.actions}
    return constants, {} if log.logging is None else {LOGGED: Logged()}


def _rank(result: Result) -> tuple[bool, float]:
    value = result.best.value
    return not result.diagnosis.answerable, -value if np.isfinite(value) else np.inf


def _judged(
    chunks: Chunks, name: str, winner: Target, baselines: Mapping[str, Target], level: float
) -> tuple[Result, tuple[Comparison, ...]]:
    corrected = 1.0 - (1.0 - level) / max(len(baselines), 1)
    judged = evaluate(chunks, Question({name: winner}, level=level)).of(name)
    comparisons = []
    for baseline, target in baselines.items():
        targets = {name: winner, baseline: target}
        question = Question(targets, level=corrected, baseline=baseline)
        advantage = evaluate(chunks, question).of(name).advantage
        assert advantage is not None  # noqa: S101  # there is a baseline
        comparisons.append(Comparison(baseline, advantage))
    return judged, tuple(comparisons)
