"""What drawing a price out of a range earns, beside VW's CATS and a ladder of fixed prices.

Where it stands: `python -m benchmarks.prices [--json FILE] [--quick]`. Synthetic shops, since only
there the best price of every visitor is known: someone with context x buys at price p with a known
probability, and the reward is p or nothing. Shown is what each learner's draws earn by expectation,
as a share of what the best price on the grid would have, and the microseconds of a round (decide,
draw, learn; medians, since other work on the machine only ever adds time). VW gets its examples
ready made, and stands for the best of its settings in each shop; ours are one setting each.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import make_policy
from policy.bandits.cats import Cats, bin_features
from policy.base import Batch, Candidates, draw
from policy.catalog.price_range import PriceRange, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = npt.NDArray[np.float64]

PRICES = PriceRange(100, 2_000, 5)
GRID = np.array(PRICES.all, np.float64)
N_CONTEXT = 6
ONE = np.ones(1, np.bool_)


class Shop(NamedTuple):
    """Who buys: willingness to pay in cents by context, and how far single buyers are from it."""

    name: str
    willing: Callable[[Array], Array]
    scale: float

    def revenues(self, contexts: Array) -> Array:
        """Expected revenue of every price of the grid, in units of 100 cents, (n, n_prices)."""
        surplus = (self.willing(contexts)[:, None] - GRID) / self.scale
        revenues: Array = GRID / 100.0 / (1.0 + np.exp(-surplus))
        return revenues


SHOPS = (
    Shop("one price for all", lambda x: 900.0 + 0.0 * x[:, 1], 180.0),
    Shop("linear", lambda x: 900.0 + 350.0 * x[:, 1] - 250.0 * x[:, 2], 180.0),
    Shop("sharp", lambda x: 900.0 + 350.0 * x[:, 1] - 250.0 * x[:, 2], 40.0),
    Shop("crossed", lambda x: 900.0 + 450.0 * np.sign(x[:, 1]) * x[:, 2], 120.0),
)


class Learner(Protocol):
    """What is measured. `prepare` is not timed."""

    def prepare(self, contexts: Array) -> Sequence[Any]:
        """The rounds in the form that suits it best."""

    def choose(self, context: Any) -> tuple[int, float]:
        """A price in cents, and its density."""

    def learn(self, context: Any, cents: int, density: float, reward: float) -> None:
        """What the price earned."""


class Ours:
    """Our CATS with some policy over the bins."""

    def __init__(self, seed: int, *, kind: str, **parameters: Any) -> None:
        chooser = make_policy(kind, 1, bin_features(N_CONTEXT), **parameters)
        self.policy = Cats(chooser, N_CONTEXT, PRICES)
        self.rng = np.random.default_rng(seed)

    def prepare(self, contexts: Array) -> Sequence[Array]:
        """As they are."""
        return [*contexts]

    def choose(self, context: Array) -> tuple[int, float]:
        """One draw from its density."""
        density = self.policy.density(context, PRICES.all, self.rng)
        cents = nearest(PRICES.all, density.draw(self.rng.random()))
        return cents, float(density.at(cents))

    def learn(self, context: Array, cents: int, density: float, reward: float) -> None:
        """A row; a regression needs no density."""
        del density
        price = np.array([[cents / 100.0]])
        self.policy.update(Batch(context[None], price, ("price",), np.array([reward]), ONE))


class Ladder:
    """Prices a fixed step apart as actions of their own, which share weights of t and t²."""

    def __init__(self, seed: int, *, kind: str, n_prices: int) -> None:
        self.policy = make_policy(kind, N_CONTEXT, 2)
        self.rng = np.random.default_rng(seed)
        steps = (len(GRID) * (2 * np.arange(n_prices) + 1)) // (2 * n_prices)
        self.cents = GRID[steps]
        t = PRICES.scaled(self.cents)
        features = np.column_stack([t, t * t])
        self.candidates = Candidates(tuple(f"{cents:g}" for cents in self.cents), features)

    def prepare(self, contexts: Array) -> Sequence[Array]:
        """As they are."""
        return [*contexts]

    def choose(self, context: Array) -> tuple[int, float]:
        """One draw from its probabilities."""
        probabilities = self.policy.distribution(context, self.candidates, self.rng)
        action = draw(probabilities, self.rng.random())
        return int(self.cents[action]), float(probabilities[action])

    def learn(self, context: Array, cents: int, density: float, reward: float) -> None:
        """A row of the action whose price it is."""
        del density
        action = int(self.cents.searchsorted(cents))
        features, name = self.candidates.features[[action]], self.candidates.ids[action]
        self.policy.update(Batch(context[None], features, (name,), np.array([reward]), ONE))


class VowpalWabbit:
    """VW's CATS. Its price is rounded to the grid afterwards; its density is kept as it gave it."""

    def __init__(self, seed: int, *, options: str, worst: float) -> None:
        workspace = importlib.import_module("vowpalwabbit").Workspace
        low, high = PRICES.min_cents, PRICES.max_cents
        bounds = f"--min_value {low} --max_value {high}"
        self.vw = workspace(f"--quiet {bounds} --random_seed {seed + 1} {options}")
        self.worst = worst

    def prepare(self, contexts: Array) -> Sequence[str]:
        """Its text format."""
        rows = contexts[:, 1:].tolist()  # it adds a constant itself
        return ["| " + " ".join(f"{i}:{v:.6g}" for i, v in enumerate(row)) for row in rows]

    def choose(self, context: str) -> tuple[int, float]:
        """Its draw."""
        value, density = self.vw.predict(context)
        return nearest(PRICES.all, value), density

    def learn(self, context: str, cents: int, density: float, reward: float) -> None:
        """A labelled line: price, cost, density."""
        cost = self.worst - reward * 100.0 / PRICES.max_cents
        self.vw.learn(f"ca {cents}:{cost}:{density} {context}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A learner in one setting; of those of one family the best one in a shop is shown."""

    name: str
    family: str
    make: Callable[[int], Learner]
    package: str = "numpy"


def _vw_settings() -> list[Setting]:
    grid = product((8, 16, 32), (60, 120), (0.05, 0.2), (0.0, 1.0))
    return [
        Setting(
            f"vw-cats{n}-h{width}-e{epsilon:g}-{'01' if worst else 'neg'}",
            "VW --cats, best setting",
            partial(
                VowpalWabbit,
                options=f"--cats {n} --bandwidth {width} --epsilon {epsilon}",
                worst=worst,
            ),
            "vowpalwabbit",
        )
        for n, width, epsilon, worst in grid
    ]


SETTINGS = [
    *(
        Setting(f"cats-{kind}", f"ours, CATS over {kind}", partial(Ours, kind=kind))
        for kind in ("linucb", "lints", "regcb")
    ),
    *(
        Setting(
            f"ladder-{n}",
            f"ours, a ladder of {n} prices (regcb)",
            partial(Ladder, kind="regcb", n_prices=n),
        )
        for n in (8, 16)
    ),
    *_vw_settings(),
]


class Run(NamedTuple):
    """Of one pass: share of the best revenue over all rounds and over the later half, and time."""

    share: float
    late_share: float
    round_us: float


def run(setting: Setting, shop: Shop, n_rounds: int, seed: int) -> Run:
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n_rounds), rng.uniform(-1, 1, (n_rounds, N_CONTEXT - 1))])
    revenues, chances = shop.revenues(contexts), rng.random(n_rounds)
    learner = setting.make(seed)
    earned, times_us = np.zeros(n_rounds), np.zeros(n_rounds)
    for i, context in enumerate(learner.prepare(contexts)):
        start = time.perf_counter_ns()
        cents, density = learner.choose(context)
        chosen = time.perf_counter_ns()
        earned[i] = revenues[i, PRICES.all.index(cents)]
        reward = cents / 100.0 if chances[i] * cents < 100.0 * earned[i] else 0.0
        told = time.perf_counter_ns()
        learner.learn(context, cents, density, reward)
        times_us[i] = (chosen - start + time.perf_counter_ns() - told) / 1e3
    best, late = revenues.max(axis=1), slice(n_rounds // 2, None)
    return Run(
        float(earned.sum() / best.sum()),
        float(earned[late].sum() / best[late].sum()),
        float(np.median(times_us)),
    )


def measured(shop: Shop, n_rounds: int, seeds: range) -> list[dict[str, Any]]:
    """A row for each setting that is installed: means over the seeds."""
    rows = []
    for setting in SETTINGS:
        if importlib.util.find_spec(setting.package) is None:
            continue
        runs = np.array([run(setting, shop, n_rounds, seed) for seed in seeds])
        share, late, round_us = runs.mean(axis=0).round(4).tolist()
        names = {"shop": shop.name, "family": setting.family, "setting": setting.name}
        rows.append({**names, "share": share, "late_share": late, "round_us": round_us})
    return rows


def best_rows(rows: list[dict[str, Any]]) -> list[tuple[str | float | None, ...]]:
    """The best setting of each family; a family that is not installed says so."""
    cells: list[tuple[str | float | None, ...]] = []
    for family in dict.fromkeys(setting.family for setting in SETTINGS):
        theirs = [row for row in rows if row["family"] == family]
        if not theirs:
            cells.append((f"{family}: not installed", None, None, None))
            continue
        best = max(theirs, key=lambda row: float(row["share"]))
        cells.append((family, best["share"], best["late_share"], best["round_us"]))
    return cells


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_rounds, seeds = (500, range(1)) if options.quick else (10_000, range(3))
    tables, rows = [], []
    for shop in SHOPS:
        theirs = measured(shop, n_rounds, seeds)
        rows += theirs
        title = (
            f"{shop.name}: revenue as a share of the best, {n_rounds} rounds, {len(seeds)} seeds"
        )
        headers = ("learner", "all rounds", "later half", "µs a round")
        tables.append(Table(title, headers, best_rows(theirs)))
    publish("prices", tables, {"n_rounds": n_rounds, "n_seeds": len(seeds), "rows": rows}, options)


if __name__ == "__main__":
    main()
