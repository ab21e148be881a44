"""Real logs whose answers are known otherwise: Hillstrom's experiment and the Open Bandit data.

Where it stands: in front of the benchmarks and tests that are judged by them; read from the folder
that `--data` or `SEGUE_DATA` names, never part of the project.
"""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from policy.ope.log import Decisions

Array = npt.NDArray[np.float64]

DATA = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[2] / "../shared/data"))
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
LABELS = ("history_segment", "zip_code", "channel", "newbie", "mens", "womens")
CAMPAIGNS = {"men": 34, "women": 46}
N_SHOWN, N_DRAWS = 3, 50_000


def hillstrom(data: Path = DATA) -> Decisions:
    """Visits after one of three e-mails, assigned at random; 32,330 rows."""
    with gzip.open(data / "hillstrom/hillstrom_dev.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    context = np.array(
        [[float(row[name]) for name in ("recency", "mens", "womens")] for row in rows]
    )
    return Decisions(
        ARMS,
        np.array([ARMS.index(row["segment"]) for row in rows]),
        np.array([float(row["visit"]) for row in rows]),
        np.full(len(rows), 1 / 3),
        (context - context.mean(axis=0)) / context.std(axis=0),
        labels={name: np.array([row[name] for row in rows]) for name in LABELS},
    )


def open_bandit(policy: str, campaign: str, data: Path = DATA) -> Decisions:
    """Clicks on one of three recommended items; 10,000 rows. Needs pyarrow.

    Args:
        policy: What wrote the log: ``random`` or ``bts``.
        campaign: ``men`` or ``women``.
        data: The folder of data sets.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415  # optional

    names = ["item_id", "position", "click", "propensity_score"]
    table = pq.read_table(data / f"obd/{policy}_{campaign}.parquet", columns=names)
    item, position, click, propensity = (table[name].to_numpy() for name in names)
    return Decisions(
        tuple(map(str, range(CAMPAIGNS[campaign]))),
        item.astype(np.int64),
        click.astype(np.float64),
        propensity.astype(np.float64),
        position=position.astype(np.int64) - 1,
    )


def thompson(campaign: str, data: Path = DATA) -> Array:
    """P(an item is ranked first, second, third) under the prior that the store used, (3, n)."""
    prior: dict[str, list[float]] = {"alpha": [], "beta": []}
    within = name = ""
    for line in (data / "obd/prior_bts.yaml").read_text().splitlines():
        if line.endswith(":"):
            within, name = (within, line.strip(" :")) if line[0] == " " else (line[:-1], "")
        elif within == campaign and line.strip():
            prior[name].append(float(line.strip(" -")))
    n_actions = CAMPAIGNS[campaign]
    rng = np.random.default_rng(0)
    draws = rng.beta(prior["alpha"], prior["beta"], (N_DRAWS, n_actions))
    ranked = np.argsort(-draws, axis=1)[:, :N_SHOWN]
    counts = [np.bincount(ranked[:, place], minlength=n_actions) for place in range(N_SHOWN)]
    return np.array(counts) / N_DRAWS
