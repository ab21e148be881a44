"""What filling a list of slots costs, and its exact marginals.

Where it stands: `python -m benchmarks.slots [--json FILE] [--quick]`. Ten slots out of 100
candidates with 32 context and 16 pair features, after 1,000 rows. "ask" is the policy distributing
over what is left, as often as it takes; "draw" is all else that a list needs. Medians, since other
work on the machine only ever adds time. The peers that rank know no exact list probabilities, so
there is nothing to put beside.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import make_policy
from policy.base import Batch, Candidates
from policy.slots.asked import View, ask
from policy.slots.base import Plan, Slot, fill
from policy.slots.layers import Layers
from policy.slots.marginals import marginals

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.base import Policy
    from policy.slots.base import Conditionals

N_SLOTS, N_ACTIONS, N_CONTEXT, N_SHARED, N_ROWS = 10, 100, 32, 16, 1_000
KINDS = ("default", "linucb", "softmax", "squarecb")
IDS = tuple(f"action-{i}" for i in range(N_ACTIONS))
PLAN = Plan.of([Slot(f"slot-{i}") for i in range(N_SLOTS)], IDS)


@dataclass(slots=True)
class Row:
    """One kind of list; milliseconds, None where it does not apply."""

    lists: str
    ask_ms: float | None = None
    draw_ms: float | None = None
    marginals_ms: float | None = None


def trained(kind: str, rng: np.random.Generator) -> Policy:
    policy = make_policy(kind, N_CONTEXT, N_SHARED)
    contexts = rng.normal(size=(N_ROWS, N_CONTEXT))
    contexts[:, 0] = 1.0
    ids = tuple(IDS[i] for i in rng.integers(N_ACTIONS, size=N_ROWS))
    features = rng.normal(size=(N_ROWS, N_SHARED))
    policy.update(Batch(contexts, features, ids, rng.random(N_ROWS), np.ones(N_ROWS, np.bool_)))
    return policy


def median_ms(work: Callable[[], object], n_rounds: int) -> float:
    times = []
    for _ in range(n_rounds):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    return round(float(np.median(times)) / 1e6, 3)


def of_policy(kind: str, n_rounds: int) -> Row:
    """Asking and drawing in one go, since all but rankings are asked while they are drawn."""
    rng = np.random.default_rng(1)
    policy = trained(kind, rng)
    context = np.concatenate(([1.0], rng.normal(size=N_CONTEXT - 1)))
    view = View(context, Candidates(IDS, rng.normal(size=(N_ACTIONS, N_SHARED))))
    whole_ms = median_ms(lambda: fill(ask(policy, PLAN, [view], rng), rng), n_rounds)
    conditionals: Conditionals = ask(policy, PLAN, [view], rng)
    if not isinstance(conditionals, Layers):
        return Row(f"{kind}, asked for each slot", whole_ms)
    draw_ms = median_ms(lambda: fill(conditionals, rng), n_rounds)
    marginals_ms = median_ms(lambda: marginals(conditionals), max(3, n_rounds // 100))
    return Row(f"{kind}, a ranking", round(whole_ms - draw_ms, 3), draw_ms, marginals_ms)


def of_weights(n_rounds: int) -> Row:
    rng = np.random.default_rng(2)
    luce = Layers(PLAN, np.zeros(N_ACTIONS, np.int64), rng.random(N_ACTIONS) + 1e-3)
    draw_ms = median_ms(lambda: fill(luce, rng), n_rounds)
    marginals_ms = median_ms(lambda: marginals(luce), max(3, n_rounds // 100))
    return Row("weights (Plackett-Luce)", None, draw_ms, marginals_ms)


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_rounds = 100 if options.quick else 1_000
    rows = [of_weights(n_rounds), *(of_policy(kind, n_rounds) for kind in KINDS)]
    table = Table(
        f"{N_SLOTS} slots, {N_ACTIONS} candidates, medians of {n_rounds} lists",
        ("lists", "ask ms", "draw ms", "marginals ms"),
        [(row.lists, row.ask_ms, row.draw_ms, row.marginals_ms) for row in rows],
    )
    numbers = {"n_rounds": n_rounds, "rows": [asdict(row) for row in rows]}
    publish("slots", [table], numbers, options)


if __name__ == "__main__":
    main()
