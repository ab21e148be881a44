"""Logs to estimate from: small ones at random, and a world whose values are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policy.ope.log import Decisions

Array = npt.NDArray[np.float64]
N_ACTIONS, N_CONTEXT = 4, 3


@dataclass(frozen=True, slots=True)
class World:
    """A log, a target, and what the target earns on the log's contexts."""

    log: Decisions
    target: Array
    means: Array

    @property
    def truth(self) -> float:
        return float((self.target * self.means).sum(axis=1).mean())


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def world(n: int, seed: int, *, sharpness: float = 1.0, first_row: int = 0) -> World:
    """Binary rewards, logistic in the context; logging and target prefer other actions."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99).normal(size=(3, N_CONTEXT, N_ACTIONS))
    context = rng.normal(size=(n, N_CONTEXT))
    logging = 0.9 * softmax(sharpness * context @ weights[0]) + 0.1 / N_ACTIONS
    target = softmax(sharpness * context @ weights[1])
    means = 1.0 / (1.0 + np.exp(1.0 - context @ weights[2] / 2.0))
    action = (logging.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, N_ACTIONS - 1)
    rows = np.arange(n)
    log = Decisions(
        tuple("abcd"),
        action,
        (rng.random(n) < means[rows, action]).astype(np.float64),
        logging[rows, action],
        context,
        logging=logging,
        first_row=first_row,
    )
    return World(log, target, means)


def rows_of(log: Decisions, start: int, stop: int) -> Decisions:
    """A part of a log that knows where it belongs."""
    part = slice(start, stop)

    def cut(values: npt.NDArray | None) -> npt.NDArray | None:
        return None if values is None else values[part]

    return Decisions(
        log.actions,
        log.action[part],
        log.reward[part],
        log.propensity[part],
        log.context[part],
        cut(log.eligible),
        cut(log.logging),
        cut(log.features),
        cut(log.cluster),
        {name: values[part] for name, values in log.labels.items()},
        cut(log.position),
        {name: values[part] for name, values in log.targets.items()},
        log.first_row + start,
    )
