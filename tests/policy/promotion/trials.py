"""Builders of the rows that a gate sees."""

from __future__ import annotations

import numpy as np

from policy.promotion.terms import Metric, Rows, Terms

SALE = Metric("sale", 0.0, 1.0)


def rows_of(
    rng: np.random.Generator,
    n: int,
    champion: float = 0.3,
    challenger: float = 0.3,
    share: float = 0.5,
    **metrics: tuple[float, float],
) -> Rows:
    """A champion that always shows one action, a challenger another; rates of success of each."""
    new = rng.random(n) < share
    propensity = np.where(new, share, 1.0 - share)
    reward = (rng.random(n) < np.where(new, challenger, champion)).astype(float)
    measured = {
        name: (rng.random(n) < np.where(new, of_new, of_old)).astype(float)
        for name, (of_old, of_new) in metrics.items()
    }
    return Rows((~new).astype(float), new.astype(float), propensity, reward, measured)


def part_of(rows: Rows, start: int, stop: int) -> Rows:
    """Some of the rows."""
    cut = slice(start, stop)
    return Rows(
        rows.champion[cut],
        rows.challenger[cut],
        rows.propensity[cut],
        rows.reward[cut],
        {name: values[cut] for name, values in rows.metrics.items()},
    )


def terms_of(share: float = 0.5, margin: float = 0.0, *guardrails: Metric) -> Terms:
    """Terms of a challenger with a share of the decisions."""
    return Terms(SALE, 1.0 / min(share, 1.0 - share), margin, guardrails=guardrails)
