"""Whether the probabilities that policies log are those that they draw by, over very many states.

Where it stands: `python -m benchmarks.probabilities [--json FILE] [--quick]`. A state is a policy
that has learned some rows, a context and candidates, some of them new to it, among actions of which
others are not offered. Over a million states, spread over the kinds, probabilities have to sum to 1
within 1e-9, keep the floor, and be exactly 0 for what is not offered; over a few states a kind,
100,000 draws have to pass a chi-square test against the logged distribution. A kind that fails ends
the command with an error.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chisquare

from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, draw

if TYPE_CHECKING:
    import numpy.typing as npt

    from policy.base import Policy

N_CONTEXT, N_SHARED, N_ACTIONS, N_NEW = 6, 3, 24, 4
ACTIONS = tuple(f"action-{i}" for i in range(N_ACTIONS))
FLOOR = 0.01
PARAMETERS = {"segmented": {"segment_start": 1, "n_segments": 4}}
LEARNED_EVERY = 200
"""States between updates, so that they are states of a policy that learns."""

N_DRAWS, N_TESTED = 100_000, 5
LEAST_P = 1e-4
"""Of a chi-square test; with 60 of them, one run in 170 fails by chance."""


@dataclass(slots=True)
class Row:
    """What was found of one kind."""

    policy: str
    n_states: int = 0
    worst_sum: float = 0.0
    n_outside: int = 0
    least_p: float = 1.0

    @property
    def is_right(self) -> bool:
        """Whether all holds that has to."""
        return self.worst_sum < 1e-9 and not self.n_outside and self.least_p >= LEAST_P


def learn(policy: Policy, rng: np.random.Generator, n: int = 8) -> None:
    """Some rows of 0/1 rewards, which every kind can learn."""
    ids = tuple(ACTIONS[i] for i in rng.integers(N_ACTIONS - N_NEW, size=n))
    contexts, features = rng.normal(size=(n, N_CONTEXT)), rng.normal(size=(n, N_SHARED))
    rewards = (rng.random(n) < 0.3).astype(np.float64)
    policy.update(Batch(contexts, features, ids, rewards, np.ones(n, np.bool_)))


def distribution(policy: Policy, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The probabilities of all actions in a random state, 0 where one is not offered."""
    n_offered = int(rng.integers(1, 11))
    offered = rng.permutation(N_ACTIONS)[:n_offered]
    context = rng.normal(size=N_CONTEXT) * 10.0 ** rng.integers(-2, 3)
    costs = rng.random(n_offered) if rng.random() < 0.3 else None
    features = rng.normal(size=(n_offered, N_SHARED))
    candidates = Candidates(tuple(ACTIONS[i] for i in offered), features, costs)
    probabilities = np.zeros(N_ACTIONS)
    probabilities[offered] = policy.distribution(context, candidates, rng)
    return probabilities


def count_outside(probabilities: npt.NDArray[np.float64]) -> int:
    """Probabilities that are neither exactly 0 nor at least the floor's share."""
    given = probabilities[probabilities != 0.0]
    least = FLOOR / len(given) * (1.0 - 1e-9)
    return int(np.count_nonzero(~(given >= least)))


def least_p_of(policy: Policy, rng: np.random.Generator, n_draws: int) -> float:
    """The smallest p-value of a few chi-square tests; impossible draws make it 0."""
    found = [1.0]
    for _ in range(N_TESTED):
        probabilities = distribution(policy, rng)
        counts = np.bincount([draw(probabilities, u) for u in rng.random(n_draws)])
        counts = np.pad(counts, (0, N_ACTIONS - len(counts)))
        possible = probabilities > 0.0
        if counts[~possible].any():
            return 0.0
        if np.count_nonzero(possible) > 1:
            expected = n_draws * probabilities[possible]
            found.append(float(chisquare(counts[possible], expected).pvalue))
    return min(found)


def measure(kind: str, n_states: int, n_draws: int, seed: int = 0) -> Row:
    """One kind, from knowing nothing on."""
    rng = np.random.default_rng(seed)
    parameters = PARAMETERS.get(kind, {})
    policy = make_policy(kind, N_CONTEXT, N_SHARED, floor=FLOOR, **parameters)
    row = Row(kind, n_states)
    for state in range(n_states):
        if state % LEARNED_EVERY == LEARNED_EVERY - 1:
            learn(policy, rng)
        probabilities = distribution(policy, rng)
        row.worst_sum = max(row.worst_sum, abs(float(probabilities.sum()) - 1.0))
        row.n_outside += count_outside(probabilities)
    row.least_p = least_p_of(policy, rng, n_draws)
    return row


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_states = 6_000 if options.quick else 1_000_000
    n_draws = N_DRAWS // 10 if options.quick else N_DRAWS
    each = -(-n_states // len(POLICY_KINDS))
    rows = [measure(kind, each, n_draws) for kind in POLICY_KINDS]
    table = Table(
        f"{each * len(rows):,} states; {N_TESTED} tests of {n_draws:,} draws a kind",
        ("policy", "states", "largest |sum - 1|", "below the floor or NaN", "least p"),
        [(r.policy, r.n_states, r.worst_sum, r.n_outside, r.least_p) for r in rows],
    )
    publish("probabilities", [table], {"rows": [asdict(row) for row in rows]}, options)
    wrong = [row.policy for row in rows if not row.is_right]
    if wrong:
        sys.exit(f"probabilities are not what they should be: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
