"""The policies of an evaluation, from words or TOML files, and the rows that they are judged on.

Where it stands: in front of `policy.ope`. What has to learn first learns from the first half of the
log, and all policies are then judged on the second half, so that they are compared on equal rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from api.cli.evaluate.saved import target_of_model, target_of_rules, toml_of
from api.cli.evaluate.source import Chunks, Source
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Policy
from policy.errors import EvaluationError, suggestion
from policy.ope.log import Decisions
from policy.ope.progressive import batch_of
from policy.ope.slices import between, count_rows
from policy.ope.targets import Constant, Learned, Logged, Target, Uniform

PLAIN: Mapping[str, Callable[[], Target]] = {"uniform": Uniform, "logged": Logged}
ALWAYS = "always:"
PRICE = "price:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One policy as it was asked for.

    Args:
        name: What it is called.
        target: The policy, where it needs nothing of the log.
        kind: Of one that has to learn; empty for the others.
        parameters: Of that kind.
        of_log: Makes the policy, where it needs the names of the log's features.
        model: A file that it is read from, which may know what it is judged by.
        price_cents: Of one price for everybody.
    """

    name: str
    target: Target | None = None
    kind: str = ""
    parameters: Mapping[str, Any] | None = None
    of_log: Callable[[Source], Target] | None = None
    model: Path | None = None
    price_cents: int | None = None

    def on(self, source: Source) -> "Wanted":
        """The same for one log.

        Raises:
            EvaluationError: It needs what the log lacks.
        """
        if self.price_cents is not None:
            raise EvaluationError(
                f"--policy {self.name}: {source.name} draws no prices out of a range; judge "
                f"{ALWAYS}ACTION of the action that has this price"
            )
        return self if self.of_log is None else replace(self, target=self.of_log(source))

    def learner(self, log: Decisions) -> Policy:
        """A fresh policy of its kind, for the features of a log."""
        n_shared = 0 if log.features is None else log.features.shape[2]
        n_context = log.context.shape[1]
        return make_policy(self.kind, n_context, n_shared, **(self.parameters or {}))


def wanted(text: str) -> Wanted:
    """A policy from the command line.

    Args:
        text: `uniform`, `logged`, `always:ACTION`, `price:CENTS`, a kind of policy, a model file
            (`.zip`), or a TOML file with `kind` and its parameters, with `always`, with `model`, or
            with `[[rules]]`.

    Raises:
        EvaluationError: It is none of these.

    Example:
        >>> wanted("always:tea").target, wanted("linucb").kind
        (Constant(action='tea'), 'linucb')
    """
    if text.endswith(".toml"):
        return _of_toml(Path(text))
    if text.endswith(".zip"):
        return _of_model(Path(text).stem, Path(text))
    if text in PLAIN:
        return Wanted(text, PLAIN[text]())
    if text.startswith(ALWAYS):
        return Wanted(text, Constant(text.removeprefix(ALWAYS)))
    if text.startswith(PRICE) and text.removeprefix(PRICE).isdecimal():
        return Wanted(text, price_cents=int(text.removeprefix(PRICE)))
    if text in POLICY_KINDS:
        return Wanted(text, None, text, {})
    known = (*PLAIN, ALWAYS + "ACTION", PRICE + "CENTS", *POLICY_KINDS)
    raise EvaluationError(
        f"--policy {text}: must be a .toml or .zip file or {suggestion(text, known)}"
    )


def _of_model(name: str, path: Path, floor: float | None = None) -> Wanted:
    return Wanted(name, of_log=partial(target_of_model, path, floor=floor), model=path)


def _of_toml(path: Path) -> Wanted:
    said = toml_of(path)
    if set(said) == {"always"}:
        return Wanted(path.stem, Constant(str(said["always"])))
    if "rules" in said:
        return Wanted(path.stem, of_log=partial(target_of_rules, path, said))
    if "model" in said and set(said) <= {"model", "floor"}:
        return _of_model(path.stem, path.parent / str(said["model"]), said.get("floor"))
    kind = said.pop("kind", None)
    if kind in PLAIN and not said:
        return Wanted(path.stem, PLAIN[kind]())
    if kind not in POLICY_KINDS:
        hint = suggestion(str(kind), (*PLAIN, *POLICY_KINDS))
        raise EvaluationError(f"--policy {path}: kind is {kind!r}: {hint}")
    return Wanted(path.stem, None, str(kind), said)


def prepared(chunks: Chunks, policies: Sequence[Wanted]) -> tuple[int, dict[str, Target]]:
    """The row from which on to judge, and the policies as they stand then.

    Args:
        chunks: The log, as often as it is called.
        policies: Of different names.

    Returns:
        Its number: 0, or that of the second half where something had to learn from the first; and
        the policies by name.

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
        return 0, targets
    n_rows = count_rows(chunks)
    half = n_rows // 2
    if not half:
        raise EvaluationError("a policy that learns needs a log of two rows at least")
    made: dict[str, Policy] = {}
    for log in between(chunks, 0, half):
        if not made:
            made = {one.name: one.learner(log) for one in learning}
        batch = batch_of(log)
        for policy in made.values():
            policy.update(batch)
    learned = targets | {name: Learned(policy) for name, policy in made.items()}
    return half, {name: learned[name] for name in names}
