"""The policies of an evaluation, from words or TOML files, and the rows that they are judged on.

Where it stands: in front of `policy.ope`. What has to learn first learns from the first half of the
log, and all policies are then judged on the second half, so that they are compared on equal rows.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Policy
from policy.errors import EvaluationError, suggestion
from policy.ope.log import Decisions
from policy.ope.targets import Constant, Learned, Logged, Target, Uniform

Chunks = Callable[[], Iterable[Decisions]]

PLAIN: Mapping[str, Callable[[], Target]] = {"uniform": Uniform, "logged": Logged}
ALWAYS = "always:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One policy as it was asked for: plain, an action, or a kind with its parameters."""

    name: str
    target: Target | None
    kind: str = ""
    parameters: Mapping[str, Any] | None = None


def wanted(text: str) -> Wanted:
    """A policy from the command line.

    Args:
        text: `uniform`, `logged`, `always:ACTION`, a kind of policy, or a TOML file with `kind` and
            its parameters, or with `always`.

    Raises:
        EvaluationError: It is none of these.

    Example:
        >>> wanted("always:tea").target, wanted("linucb").kind
        (Constant(action='tea'), 'linucb')
    """
    if text.endswith(".toml"):
        return _of_file(Path(text))
    if text in PLAIN:
        return Wanted(text, PLAIN[text]())
    if text.startswith(ALWAYS):
        return Wanted(text, Constant(text.removeprefix(ALWAYS)))
    if text in POLICY_KINDS:
        return Wanted(text, None, text, {})
    known = (*PLAIN, ALWAYS + "ACTION", *POLICY_KINDS)
    raise EvaluationError(f"--policy {text}: must be a .toml file or {suggestion(text, known)}")


def _of_file(path: Path) -> Wanted:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EvaluationError(f"--policy {path}: cannot be read: {error}") from None
    if set(said) == {"always"}:
        return Wanted(path.stem, Constant(str(said["always"])))
    kind = said.pop("kind", None)
    if kind in PLAIN and not said:
        return Wanted(path.stem, PLAIN[kind]())
    if kind not in POLICY_KINDS:
        hint = suggestion(str(kind), (*PLAIN, *POLICY_KINDS))
        raise EvaluationError(f"--policy {path}: kind is {kind!r}: {hint}")
    return Wanted(path.stem, None, str(kind), said)


def prepared(chunks: Chunks, policies: Sequence[Wanted]) -> tuple[Chunks, dict[str, Target]]:
    """The rows to judge on, and the policies as they stand then.

    Args:
        chunks: The log, as often as it is called.
        policies: Of different names.

    Returns:
        The whole log, or its second half where something had to learn from the first.

    Raises:
        EvaluationError: Two of one name, or a log of fewer than two rows.
        ParameterError: A parameter that the kind does not have, or out of range.
    """
    names = [one.name for one in policies]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"two policies are called {name!r}: rename one of the files")
    targets = {one.name: one.target for one in policies if one.target is not None}
    learning = [one for one in policies if one.target is None]
    if not learning:
        return chunks, targets
    half = sum(log.n_rows for log in chunks()) // 2
    if not half:
        raise EvaluationError("a policy that learns needs a log of two rows at least")
    made: dict[str, Policy] = {}
    for log in chunks():
        if log.first_row >= half:
            break
        if not made:
            made = {one.name: _made(one, log) for one in learning}
        batch = _batch(_rows(log, 0, half - log.first_row))
        for policy in made.values():
            policy.update(batch)
    learned = targets | {name: Learned(policy) for name, policy in made.items()}
    return lambda: _behind(chunks, half), {name: learned[name] for name in names}


def _made(one: Wanted, log: Decisions) -> Policy:
    n_shared = 0 if log.features is None else log.features.shape[2]
    return make_policy(one.kind, log.context.shape[1], n_shared, **(one.parameters or {}))


def _batch(log: Decisions) -> Batch:
    shared = np.zeros((log.n_rows, 0)) if log.features is None else log.taken(log.features)
    ids = tuple(log.actions[place] for place in log.action)
    return Batch(log.context, shared, ids, log.reward, np.ones(log.n_rows, np.bool_))


def _behind(chunks: Chunks, half: int) -> Iterator[Decisions]:
    for log in chunks():
        start = max(0, half - log.first_row)
        if start < log.n_rows:
            yield replace(_rows(log, start, log.n_rows), first_row=log.first_row + start - half)


def _rows(log: Decisions, start: int, stop: int) -> Decisions:
    """Some rows of a chunk."""
    cut: dict[str, Any] = {}
    for one in fields(log):
        value = getattr(log, one.name)
        if one.name in ("labels", "targets"):
            cut[one.name] = {name: column[start:stop] for name, column in value.items()}
        elif isinstance(value, np.ndarray):
            cut[one.name] = value[start:stop]
        else:
            cut[one.name] = value
    return Decisions(**cut)
