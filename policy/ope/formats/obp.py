"""Open Bandit Pipeline's ``bandit_feedback``, as a dictionary and as an ``.npz`` file.

One of the formats at the edge of off-policy evaluation.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import LogError, suggestion
from policy.ope.log import check_logged
from policy.ope.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policy.ope.log import Array, Decisions

REQUIRED = ("n_actions", "action", "reward", "pscore")


def from_bandit_feedback(feedback: Mapping[str, Any], screen: Screen | None = None) -> Decisions:
    """The decisions of OBP's dictionary.

    ``pi_b``, where it is there, gives the logging probability of every action at a row's position.

    Args:
        feedback: With ``n_actions``, ``action``, ``reward`` and ``pscore``; ``context``,
            ``action_context``, ``position`` and ``pi_b`` are taken along, other keys are not.
        screen: What to do with rows that cannot be used; refuses them by default.

    Raises:
        LogError: A key is missing, or a row or shape is wrong.

    Example:
        >>> log = from_bandit_feedback({
        ...     "n_rounds": 2, "n_actions": 2, "action": np.array([1, 0]),
        ...     "reward": np.array([0, 1]), "pscore": np.array([0.5, 0.5])})
        >>> log.actions, log.reward
        (('0', '1'), array([0., 1.]))
    """
    for name in REQUIRED:
        if feedback.get(name) is None:
            raise LogError(f"bandit_feedback lacks {name!r}: {suggestion(name, feedback)}")
    n_actions = int(feedback["n_actions"])
    action = np.asarray(feedback["action"]).astype(np.int64)
    n = len(action)
    position = feedback.get("position")
    position = None if position is None else np.asarray(position).astype(np.int64)
    columns: dict[str, Any] = {
        "actions": tuple(str(number) for number in range(n_actions)),
        "action": action,
        "reward": np.asarray(feedback["reward"], np.float64),
        "propensity": np.asarray(feedback["pscore"], np.float64),
        "position": position,
    }
    if feedback.get("context") is not None:
        columns["context"] = np.asarray(feedback["context"], np.float64)
    if feedback.get("action_context") is not None:
        of_action = np.asarray(feedback["action_context"], np.float64)
        columns["features"] = np.broadcast_to(of_action, (n, *of_action.shape))
    if feedback.get("pi_b") is not None:
        columns["logging"] = at_position(np.asarray(feedback["pi_b"], np.float64), position)
    return (screen or Screen()).decisions(**columns)


def to_bandit_feedback(log: Decisions) -> dict[str, Any]:
    """OBP's dictionary of a log.

    Pair features are kept only where they are the same in every row, as OBP knows no others, and
    the logging distribution under one position.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a",), np.array([0]), np.ones(1), np.ones(1))
        >>> sorted(to_bandit_feedback(log))
        ['action', 'context', 'n_actions', 'n_rounds', 'position', 'pscore', 'reward']
    """
    check_logged(log)
    feedback: dict[str, Any] = {
        "n_rounds": log.n_rows,
        "n_actions": log.n_actions,
        "context": log.context,
        "action": log.action,
        "position": log.position,
        "reward": log.reward,
        "pscore": log.propensity,
    }
    if log.features is not None and (log.features == log.features[:1]).all():
        feedback["action_context"] = log.features[0]
    if log.logging is not None:
        if log.position is None:
            feedback["pi_b"] = log.logging[:, :, np.newaxis]
        else:
            n_positions = int(log.position.max(initial=0)) + 1
            feedback["pi_b"] = np.repeat(log.logging[:, :, np.newaxis], n_positions, axis=2)
    return feedback


def at_position(distributions: Array, position: np.ndarray | None) -> Array:
    """Of OBP's (n, n_actions, n_positions) distributions those at each row's position.

    Args:
        distributions: As OBP gives and takes them.
        position: From 0, (n,); None where there is one position.

    Returns:
        (n, n_actions).

    Raises:
        LogError: Several positions, and none given.

    Example:
        >>> at_position(np.array([[[0.1, 0.2], [0.9, 0.8]]]), np.array([1]))
        array([[0.2, 0.8]])
    """
    if distributions.ndim != 3:
        raise LogError(f"distributions have shape {distributions.shape}: must be 3 axes")
    if position is None:
        if distributions.shape[2] != 1:
            raise LogError(
                f"distributions for {distributions.shape[2]} positions: must come with the "
                "position of each row"
            )
        return distributions[:, :, 0]
    chosen: Array = distributions[np.arange(len(distributions)), :, position]
    return chosen


def read_npz(path: Path, screen: Screen | None = None) -> Decisions:
    """The decisions of a ``bandit_feedback`` saved by ``numpy.savez``. Never unpickles.

    Raises:
        LogError: No such file, or one that holds anything but plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            feedback = {name: _plain(archive[name]) for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as cause:
        raise LogError(
            f"{path} is no readable .npz of plain arrays: {cause}; save it again with numpy.savez, "
            "and without None"
        ) from None
    return from_bandit_feedback(feedback, screen)


def write_npz(path: Path, log: Decisions) -> None:
    """Save a log as OBP's dictionary, what is None left out."""
    feedback = to_bandit_feedback(log)
    arrays: dict[str, Any] = {name: value for name, value in feedback.items() if value is not None}
    np.savez_compressed(path, **arrays)


def _plain(array: np.ndarray) -> Any:
    return array if array.ndim else array.item()
