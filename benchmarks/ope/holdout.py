"""How often the lift's interval is wrong at any of many looks, beside one that is meant for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policy.lift.lift import lift
from policy.lift.outcomes import Outcomes
from policy.lift.sample_ratio import sample_ratio

LOOKS, VISITORS_A_LOOK, CONTROL_SHARE = 100, 500, 0.1
NORMAL_REACH = 1.96


@dataclass(slots=True)
class FalseAlarms:
    """Of experiments without an effect, each looked at many times, how many found one.

    Args:
        always_valid: By the interval of the lift.
        normal: By an interval of 1.96 standard errors at each look.
        ratio: Sample ratios that were doubted at 5 %.
        n_experiments: All.
        variance_left: Mean share of the variance that CUPED leaves.
    """

    always_valid: int = 0
    normal: int = 0
    ratio: int = 0
    n_experiments: int = 0
    variance_left: float = 0.0


def run_experiments(n_experiments: int, looks: int = LOOKS, seed: int = 0) -> FalseAlarms:
    """Skewed spend, three quarters of whose variance was known before."""
    rng = np.random.default_rng(seed)
    found = FalseAlarms(n_experiments=n_experiments)
    for _ in range(n_experiments):
        groups = [Outcomes.of(np.zeros(0)), Outcomes.of(np.zeros(0))]
        wrong = dict.fromkeys(("always", "normal", "ratio"), False)
        for _ in range(looks):
            is_control = rng.random(VISITORS_A_LOOK) < CONTROL_SHARE
            before = rng.exponential(1.0, VISITORS_A_LOOK)
            spend = before + rng.exponential(0.58, VISITORS_A_LOOK)
            for number, rows in enumerate((~is_control, is_control)):
                groups[number] = groups[number].merged(Outcomes.of(spend[rows], before[rows]))
            seen = lift(*groups)
            counts = [group.n_visitors for group in groups]
            wrong["always"] |= not seen.interval.holds(0.0)
            wrong["normal"] |= abs(seen.difference) > NORMAL_REACH * seen.error
            ratio = sample_ratio(counts, (1.0 - CONTROL_SHARE, CONTROL_SHARE))
            wrong["ratio"] |= ratio.p_value < 0.05
        found.always_valid += wrong["always"]
        found.normal += wrong["normal"]
        found.ratio += wrong["ratio"]
        found.variance_left += seen.variance_left / n_experiments
    return found
