"""Policies of an evaluation that come from files: models, networks, rules.

Where it stands: beside `policies`, which tells them by the ending of their name. What a model needs
is looked up in the log by name.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.cli.evaluate.source import Source
from api.loop.policies import Names, policy_of_spec
from policy import model_file
from policy.bandits.build import POLICY_KINDS
from policy.catalog.condition.parser import parse
from policy.errors import EvaluationError, ModelFileError, StateError, shown, suggestion
from policy.ope.networked import Networked
from policy.ope.rules import Rule, Rules
from policy.ope.selected import Selected, columns
from policy.ope.targets import Learned, Target
from policy.ppo.network import KIND as PPO
from policy.ppo.network import from_bytes


def target_of_model(path: Path, source: Source, floor: float | None = None) -> Target:
    """A saved model as it stands: a PPO network, or a placement's policy.

    Args:
        path: A model file.
        source: The log that it is asked about.
        floor: Of a network, as it would be served; None for its default.

    Raises:
        EvaluationError: It is no such file, or needs a feature that the log lacks.
    """
    try:
        data = path.read_bytes()
        manifest, arrays = model_file.load(data)
        if manifest["kind"] == PPO:
            network = from_bytes(data)
            seen = columns(network.feature_names, source.context_names, "context")
            return Selected(Networked(network, *(() if floor is None else (floor,))), seen)
        if floor is not None:
            raise EvaluationError("floor is given: only a network takes one, a policy has its own")
        return _of_policy(manifest, arrays, source)
    except (OSError, ModelFileError, StateError, EvaluationError) as error:
        raise EvaluationError(f"--policy {path}: {error}") from None


def known_already(name: str, path: Path, log: str, remedy: str) -> str | None:
    """A warning, where a saved model has learned from the placement that it is judged on.

    Args:
        name: What it is called.
        path: A model file that can be judged.
        log: Name of the placement, or of the file.
        remedy: What to judge instead.
    """
    manifest, _ = model_file.load(path.read_bytes())
    row = manifest.get("learned_through")
    if manifest.get("placement") != log or not row:
        return None
    return (
        f"{name}: has learned rewards up to row {row} of this log, and is judged by them as well: "
        f"too well, perhaps; judge {remedy}"
    )


def _of_policy(manifest: Mapping[str, Any], arrays: Mapping[str, Any], source: Source) -> Target:
    context, features = manifest.get("context_names"), manifest.get("feature_names")
    parameters = manifest.get("parameters")
    if not isinstance(parameters, dict) or context is None or features is None:
        known = (PPO, *POLICY_KINDS)
        raise EvaluationError(
            f"a model of kind {shown(manifest['kind'])} without the names of its features: must be "
            f"one that the service saved, or of kind {suggestion(str(manifest['kind']), known)}"
        )
    if "price_range" in parameters:
        raise EvaluationError("it draws prices out of a range, and the log is of actions")
    policy = policy_of_spec(parameters, Names(context, features))
    policy.load_state(manifest, arrays)
    seen = columns(context, source.context_names, "context")
    return Selected(Learned(policy), seen, columns(features, source.feature_names, "pair"))


def target_of_rules(path: Path, said: Mapping[str, Any], source: Source) -> Target:
    """Rules out of a TOML file.

    Args:
        path: Named in messages.
        said: `otherwise`, and `[[rules]]` with `when` and `show`.
        source: The log that they are asked about.

    Raises:
        EvaluationError: A key is missing or unknown, or a condition asks what the log cannot
            answer.
    """
    rules, otherwise = said.get("rules"), said.get("otherwise")
    if not isinstance(rules, list) or not isinstance(otherwise, str) or set(said) - _KEYS:
        raise EvaluationError(
            f"--policy {path}: must have [[rules]] and otherwise, the action where none holds, and "
            f"nothing else; it has {', '.join(said) or 'nothing'}"
        )
    made = []
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict) or set(rule) != {"when", "show"}:
            raise EvaluationError(f"--policy {path}: rules[{number}] must have when and show")
        try:
            made.append(Rule(parse(str(rule["when"])), str(rule["show"])))
            Rules(tuple(made[-1:]), otherwise, source.fields)
        except ValueError as error:
            raise EvaluationError(f"--policy {path}: rules[{number}]: {error}") from None
    return Rules(tuple(made), otherwise, source.fields)


_KEYS = {"rules", "otherwise"}


def toml_of(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        EvaluationError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EvaluationError(f"--policy {path}: cannot be read: {error}") from None
