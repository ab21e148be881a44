"""Propensities that nobody wrote down, estimated from the log itself.

In front of a log whose writer kept no probabilities. Whatever is evaluated on such a log says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from policy.errors import LogError
from policy.ope.log import Decisions
from policy.ope.reward_model import N_FOLDS, design, folds

if TYPE_CHECKING:
    from policy.ope.log import Array, Bools, Ints

EVEN_SHARE = 0.01
"""Spread over the eligible actions: a model of finite data cannot say never."""


def estimated(
    actions: tuple[str, ...],
    action: Ints,
    reward: Array,
    context: Array,
    eligible: Bools | None = None,
    **columns: Any,
) -> Decisions:
    """A log whose propensities are a cross-fitted logistic regression of the action.

    They are right only if the context holds all that the choices depended on: nothing in the log
    can tell. A policy that never explored yields propensities all the same, and answers from
    outside of what was seen.

    Args:
        actions: Ids of all actions.
        action: Position of what was shown, (n,).
        reward: What it earned, (n,).
        context: What the choice depended on, (n, n_context).
        eligible: What could have been shown, (n, n_actions).
        **columns: Other fields of `Decisions`.

    Raises:
        LogError: Fewer than two actions were ever shown in some fold: nothing can be learned.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> context = rng.normal(size=(2000, 1))
        >>> action = (rng.random(2000) < 1 / (1 + np.exp(-context[:, 0]))).astype(int)
        >>> log = estimated(("a", "b"), action, np.ones(2000), context)
        >>> log.propensity_is_estimated
        True
    """
    even = np.full(len(action), 1.0)
    return with_estimates(Decisions(actions, action, reward, even, context, eligible, **columns))


def with_estimates(log: Decisions) -> Decisions:
    """The same log, whose propensities, whatever they were, are estimated: see `estimated`.

    Args:
        log: All of it: folds of a part would know other rows.

    Raises:
        LogError: Fewer than two actions were ever shown in some fold, or a context that is not
            finite.
    """
    wrong = ~np.isfinite(log.context).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LogError(
            f"context of row {log.first_row + row} is {log.context[row]}: must be finite numbers, "
            "for propensities to be estimated from it"
        )
    could_show = log.could_show
    logging = _cross_fitted(log) * could_show
    logging /= logging.sum(axis=1, keepdims=True)
    even = could_show / could_show.sum(axis=1, keepdims=True)
    logging = (1.0 - EVEN_SHARE) * logging + EVEN_SHARE * even
    return replace(
        log, propensity=log.taken(logging), logging=logging, propensity_is_estimated=True
    )


def _cross_fitted(log: Decisions) -> Array:
    """Probability of every action from folds without the row, (n, n_actions); above 0."""
    fold, x = folds(log, N_FOLDS), design(log)
    found = np.full((log.n_rows, log.n_actions), 1e-12)
    for number in range(N_FOLDS):
        rows = fold == number
        if len(np.unique(log.action[~rows])) < 2:
            raise LogError(
                "propensities cannot be estimated: fewer than two actions were shown; a log "
                "without exploration tells nothing of other choices"
            )
        # Scaled, since numbers such as cents and shares stand side by side in a context.
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        model.fit(x[~rows], log.action[~rows])
        if rows.any():
            found[np.ix_(rows, model.classes_)] += model.predict_proba(x[rows])
    return found
