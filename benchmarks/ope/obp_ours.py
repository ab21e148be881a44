"""Our side of the comparison with Open Bandit Pipeline: estimates on the logs that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from policy.ope.estimators.clipped_ips import ClippedIPS
from policy.ope.estimators.direct_method import DirectMethod
from policy.ope.estimators.doubly_robust import DoublyRobust
from policy.ope.estimators.dros import DRos
from policy.ope.estimators.ips import IPS
from policy.ope.estimators.mips import MIPS
from policy.ope.estimators.price.kernel import KernelIPS
from policy.ope.estimators.price.sample import PriceSample
from policy.ope.estimators.replay import Replay
from policy.ope.estimators.slate.independent import IndependentIPS
from policy.ope.estimators.slate.reward_interaction import RewardInteractionIPS
from policy.ope.estimators.slate.sample import SlateSample
from policy.ope.estimators.slate.slate_ips import SlateIPS
from policy.ope.estimators.sndr import SNDR
from policy.ope.estimators.snips import SNIPS
from policy.ope.estimators.switch_dr import SwitchDR
from policy.ope.estimators.tuned import Tuned
from policy.ope.formats.obp import at_position, from_bandit_feedback
from policy.ope.sample import sample_of
from policy.ope.tally import Tally, buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.ope.estimators.base import Functional
    from policy.ope.log import Array, Ints

    Columns = Mapping[str, Any]

BOUND, BOUNDS = 5.0, (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
SHRINKAGES = (1e6, 1e4, 1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
N_CATEGORIES, N_SLOTS = 3, 3

PLAIN = (
    Replay(),
    IPS(),
    ClippedIPS(BOUND),
    SNIPS(),
    DirectMethod(),
    DoublyRobust(),
    SNDR(),
    SwitchDR(BOUND),
    DRos(BOUND),
)
TUNED = {
    "switch_dr, slope": Tuned([SwitchDR(bound) for bound in BOUNDS]),
    "dros, slope": Tuned([DRos(shrinkage) for shrinkage in SHRINKAGES]),
}
OF_SLATES = (
    SlateIPS(),
    IndependentIPS(N_SLOTS),
    RewardInteractionIPS(N_SLOTS),
    IndependentIPS(N_SLOTS, normalised=True),
    RewardInteractionIPS(N_SLOTS, normalised=True),
)
OURS = (
    *(one.name for one in PLAIN),
    "mips",
    *TUNED,
    *(one.name for one in OF_SLATES),
    "kernel_ips",
    "kernel_snips",
)


def bandit(log: Columns) -> dict[str, float]:
    """Estimates on a log of single actions."""
    decisions = from_bandit_feedback({name: log[name] for name in log if name != "expected"})
    target = at_position(log["action_dist"], decisions.position)
    sample = sample_of(decisions, target, at_position(log["expected"], decisions.position))
    bucket = buckets(decisions)
    found = {one.name: _estimate(one, one.columns(sample), bucket) for one in PLAIN}
    found |= {name: _estimate(one, one.columns(sample), bucket) for name, one in TUNED.items()}
    if decisions.logging is not None and decisions.position is None:
        mips = MIPS(np.arange(decisions.n_actions) % N_CATEGORIES)
        found["mips"] = _estimate(mips, mips.columns(sample), bucket)
    return found


def slates(log: Columns) -> dict[str, float]:
    """Estimates on a log of lists, a row a slot."""
    order = np.lexsort((log["position"], log["slate_id"]))
    wide = {
        name: log[name][order].reshape(-1, N_SLOTS)
        for name in log
        if name not in ("position", "slate_id")
    }
    sample = SlateSample(
        wide["reward"].astype(np.float64),
        wide["prefix_target"] / wide["prefix_logging"],
        wide["own_target"] / wide["own_logging"],
    )
    bucket = np.arange(len(sample.reward)) % 1024
    return {one.name: _estimate(one, one.columns(sample), bucket) for one in OF_SLATES}


def prices(log: Columns) -> dict[str, float]:
    """Estimates on a log of numbers, without the ends of their range, which OBP leaves out."""
    sample = PriceSample(log["action"], log["pscore"], log["reward"], log["target"])
    bucket = np.arange(len(sample.price)) % 1024
    made = [
        KernelIPS(float(log["bandwidth"]), normalised=normalised) for normalised in (False, True)
    ]
    return {one.name: _estimate(one, one.columns(sample), bucket) for one in made}


def _estimate(estimator: Functional, columns: Array, bucket: Ints) -> float:
    tally = Tally.of(columns, bucket)
    return estimator.settled(tally).value(tally.means)
