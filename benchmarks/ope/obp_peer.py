"""Open Bandit Pipeline's side of the comparison; needs `sb-obp`, and nothing of this project.

Where it stands: run by `benchmarks.ope.obp_compare` with the Python of a virtual environment of its
own, since OBP needs numpy 1. `obp_peer.py compare FOLDER ROWS SPEED_ROWS` makes logs, and takes
along those that the folder holds as `given-*.npz`; `obp_peer.py tuned FOLDER` estimates from every
npz in it. Logs are written beside as npz, all estimates as `estimates.json`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from obp.dataset import (
    SyntheticBanditDataset,
    SyntheticContinuousBanditDataset,
    SyntheticSlateBanditDataset,
    linear_behavior_policy,
    linear_behavior_policy_continuous,
    linear_reward_funcion_continuous,
    logistic_reward_function,
)
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    DoublyRobustTuning,
    DoublyRobustWithShrinkage,
    DoublyRobustWithShrinkageTuning,
    InverseProbabilityWeighting,
    KernelizedInverseProbabilityWeighting,
    KernelizedSelfNormalizedInverseProbabilityWeighting,
    MarginalizedInverseProbabilityWeighting,
    RegressionModel,
    ReplayMethod,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
    SelfNormalizedSlateIndependentIPS,
    SelfNormalizedSlateRewardInteractionIPS,
    SlateIndependentIPS,
    SlateRewardInteractionIPS,
    SlateStandardIPS,
    SwitchDoublyRobust,
    SwitchDoublyRobustTuning,
)
from obp.policy import BernoulliTS
from sklearn.linear_model import LogisticRegression, Ridge

SEED = 12_345
BOUND, BOUNDS = 5.0, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
SHRINKAGES = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e6]
BANDWIDTH = 0.3

PLAIN = {
    "replay": ReplayMethod(),
    "ips": InverseProbabilityWeighting(),
    "clipped_ips": InverseProbabilityWeighting(lambda_=BOUND),
    "snips": SelfNormalizedInverseProbabilityWeighting(),
    "direct_method": DirectMethod(),
    "doubly_robust": DoublyRobust(),
    "sndr": SelfNormalizedDoublyRobust(),
    "switch_dr": SwitchDoublyRobust(lambda_=BOUND),
    "dros": DoublyRobustWithShrinkage(lambda_=BOUND),
}


def tuned() -> dict:
    """OBP's automatically tuned doubly robust estimators; they remember, so fresh each time."""
    made = {}
    for method in ("slope", "mse"):
        made |= {
            f"dr clipped, {method}": DoublyRobustTuning(lambdas=BOUNDS, tuning_method=method),
            f"switch_dr, {method}": SwitchDoublyRobustTuning(lambdas=BOUNDS, tuning_method=method),
            f"dros, {method}": DoublyRobustWithShrinkageTuning(
                lambdas=SHRINKAGES, tuning_method=method
            ),
        }
    return made


def asked(log: dict) -> dict:
    """What an estimator of OBP is asked with."""
    n_rows = len(log["action"])
    return {
        "reward": log["reward"],
        "action": log["action"].astype(int),
        # Never None: the tuned estimators do not fill it in.
        "position": log["position"].astype(int) if "position" in log else np.zeros(n_rows, int),
        "pscore": log["pscore"],
        "action_dist": log["action_dist"],
        "estimated_rewards_by_reg_model": log["expected"],
    }


def bandit(log: dict) -> dict:
    """Estimates on a log of single actions."""
    found = {name: one.estimate_policy_value(**asked(log)) for name, one in PLAIN.items()}
    if "pi_b" in log and "position" not in log:
        category = np.arange(log["n_actions"]) % 3
        found["mips"] = MarginalizedInverseProbabilityWeighting(
            n_actions=int(log["n_actions"])
        ).estimate_policy_value(
            **asked(log),
            context=log["context"],
            action_embed=category[log["action"]][:, None],
            pi_b=log["pi_b"],
            p_e_a=np.eye(3)[category][:, :, None],
        )
    for name, one in tuned().items():
        found[name] = one.estimate_policy_value_with_tuning(**asked(log))
    return found


def expected(log: dict, is_binary: bool = True) -> np.ndarray:
    """What OBP's cross-fitted regression expects, (n, n_actions, n_positions)."""
    has_position = "position" in log
    model = RegressionModel(
        n_actions=int(log["n_actions"]),
        len_list=int(log["position"].max()) + 1 if has_position else 1,
        base_model=LogisticRegression(max_iter=1000, C=10.0) if is_binary else Ridge(),
    )
    return model.fit_predict(
        context=log["context"],
        action=log["action"].astype(int),
        reward=log["reward"],
        pscore=log["pscore"],
        position=log["position"].astype(int) if has_position else None,
        n_folds=3,
        random_state=SEED,
    )


def synthetic(n_rows: int) -> dict:
    """OBP's own synthetic bandit, and a softmax of what it truly earns."""
    data = SyntheticBanditDataset(
        n_actions=10,
        dim_context=5,
        reward_function=logistic_reward_function,
        behavior_policy_function=linear_behavior_policy,
        beta=-2.0,
        random_state=SEED,
    )
    log = plain(data.obtain_batch_bandit_feedback(n_rows))
    power = np.exp(5.0 * log.pop("expected_reward"))
    log["action_dist"] = (power / power.sum(axis=1, keepdims=True))[:, :, None]
    log["expected"] = expected(log)
    return log


def certain(log: dict) -> dict:
    """The same log, and a target that never draws: it always shows the likeliest."""
    n_actions = int(log["n_actions"])
    best = log["action_dist"][:, :, 0].argmax(axis=1)
    return log | {"action_dist": np.eye(n_actions)[best][:, :, None]}


def thompson(log: dict, campaign: str) -> dict:
    """The store's Thompson sampling on a log of the Open Bandit data."""
    policy = BernoulliTS(
        n_actions=int(log["n_actions"]),
        len_list=3,
        is_zozotown_prior=True,
        campaign=campaign,
        random_state=SEED,
    )
    ranked = policy.compute_batch_action_dist(n_sim=20_000, n_rounds=len(log["action"]))
    log = log | {"action_dist": ranked}
    # The model sees no context, as the log's parquet has none that is numeric.
    log["context"] = np.ones((len(log["action"]), 1))
    log["expected"] = expected(log)
    return log


def slates(n_rows: int) -> tuple[dict, dict]:
    """OBP's synthetic slates of three out of six, another target, and estimates."""
    data = SyntheticSlateBanditDataset(
        n_unique_action=6, len_list=3, dim_context=2, reward_structure="independent",
        random_state=SEED,
    )  # fmt: skip
    log = data.obtain_batch_bandit_feedback(n_rows, return_pscore_item_position=True)
    logit = log["context"] @ np.random.default_rng(SEED).normal(size=(2, 6))
    whole, own, prefix = data.obtain_pscore_given_evaluation_policy_logit(log["action"], logit)
    kept = {name: log[name] for name in ("slate_id", "position", "reward", "action")}
    weights = {
        "joint": (log["pscore"], whole),
        "own": (log["pscore_item_position"], own),
        "prefix": (log["pscore_cascade"], prefix),
    }
    for name, (logging, target) in weights.items():
        kept |= {f"{name}_logging": logging, f"{name}_target": target}
    rows = {name: log[name] for name in ("slate_id", "reward", "position")}
    asked = {
        "pscore": log["pscore"],
        "pscore_item_position": log["pscore_item_position"],
        "pscore_cascade": log["pscore_cascade"],
        "evaluation_policy_pscore": whole,
        "evaluation_policy_pscore_item_position": own,
        "evaluation_policy_pscore_cascade": prefix,
    }
    estimators = {
        "slate_ips": SlateStandardIPS(len_list=3),
        "slate_independent": SlateIndependentIPS(len_list=3),
        "slate_interaction": SlateRewardInteractionIPS(len_list=3),
        "slate_independent_sn": SelfNormalizedSlateIndependentIPS(len_list=3),
        "slate_interaction_sn": SelfNormalizedSlateRewardInteractionIPS(len_list=3),
    }
    return kept, {
        name: one.estimate_policy_value(**rows, **asked) for name, one in estimators.items()
    }


def prices(n_rows: int) -> tuple[dict, dict]:
    """OBP's synthetic continuous actions, a constant target, and estimates."""
    data = SyntheticContinuousBanditDataset(
        dim_context=3, min_action_value=0.0, max_action_value=4.0,
        reward_function=linear_reward_funcion_continuous,
        behavior_policy_function=linear_behavior_policy_continuous, random_state=SEED,
    )  # fmt: skip
    log = plain(data.obtain_batch_bandit_feedback(n_rows))
    target = np.full(n_rows, 1.5)
    asked = {
        "reward": log["reward"],
        "action_by_behavior_policy": log["action"],
        "pscore": log["pscore"],
        "action_by_evaluation_policy": target,
    }
    made = {
        "kernel_ips": KernelizedInverseProbabilityWeighting,
        "kernel_snips": KernelizedSelfNormalizedInverseProbabilityWeighting,
    }
    return log | {"target": target, "bandwidth": BANDWIDTH}, {
        name: one("epanechnikov", BANDWIDTH).estimate_policy_value(**asked)
        for name, one in made.items()
    }


def seconds(n_rows: int) -> dict:
    """Time of IPS, SNIPS and DR together on a log in memory, the reward model apart."""
    rng = np.random.default_rng(SEED)
    log = {
        "n_actions": 20,
        "context": rng.normal(size=(n_rows, 5)),
        "action": rng.integers(0, 20, n_rows),
        "reward": rng.integers(0, 2, n_rows),
        "pscore": np.full(n_rows, 0.05),
        "action_dist": np.full((n_rows, 20, 1), 0.05),
    }
    started = time.perf_counter()
    log["expected"] = expected(log, is_binary=False)
    fitted = time.perf_counter()
    for name in ("ips", "snips", "doubly_robust"):
        PLAIN[name].estimate_policy_value(**asked(log))
    return {"model": fitted - started, "estimates": time.perf_counter() - fitted, "n_rows": n_rows}


def plain(log: dict) -> dict:
    """What an npz without pickles can hold."""
    return {
        name: value for name, value in log.items() if isinstance(value, (int, float, np.ndarray))
    }


def estimate_given(folder: Path) -> None:
    """Tuned estimates on logs of known value, with OBP's own model and with the one handed over."""
    found = {}
    for path in sorted(folder.glob("*.npz")):
        log = dict(np.load(path))
        theirs = log | {"expected": expected(log, is_binary=bool(log["is_binary"]))}
        found[path.stem] = {
            label: {
                name: float(one.estimate_policy_value_with_tuning(**asked(one_log)))
                for name, one in tuned().items()
            }
            for label, one_log in (("own model", theirs), ("same model", log))
        }
    (folder / "estimates.json").write_text(json.dumps(found))


def compare(folder: Path, n_rows: int, speed_rows: int) -> None:
    """Every case and what OBP says of it."""
    logs = {"synthetic": synthetic(n_rows)}
    logs["synthetic, certain target"] = certain(logs["synthetic"])
    for path in sorted(folder.glob("given-*.npz")):
        campaign = path.stem.removeprefix("given-")
        logs[f"open bandit, {campaign}"] = thompson(dict(np.load(path)), campaign)
    found = {name: bandit(log) for name, log in logs.items()}
    logs["slates"], found["slates"] = slates(n_rows)
    logs["prices"], found["prices"] = prices(n_rows)
    for name, log in logs.items():
        np.savez(folder / f"{name}.npz", **log)
    found = {
        case: {name: float(value) for name, value in values.items()}
        for case, values in found.items()
    }
    found["seconds"] = seconds(speed_rows)
    (folder / "estimates.json").write_text(json.dumps(found))


if __name__ == "__main__":
    where = Path(sys.argv[2])
    if sys.argv[1] == "tuned":
        estimate_given(where)
    else:
        compare(where, int(sys.argv[3]), int(sys.argv[4]))
