"""The evaluation of a placement that draws prices out of a range.

Where it stands: beside `work`, for logs of which the answer to each request is a number.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple

from api.cli.evaluate.policies import Wanted
from api.cli.evaluate.report import Section
from api.cli.evaluate.saved import known_already
from api.loop.policies import Names, policy_of_spec
from api.storage.price_log import PriceLog
from policy import model_file
from policy.bandits.cats import PRICE_FEATURES, Cats
from policy.errors import EvaluationError, ModelFileError, StateError, shown
from policy.ope.prices.evaluate import PriceQuestion, evaluate_prices
from policy.ope.prices.log import PricedDecisions
from policy.ope.prices.targets import ConstantPrice, DrawnPrices, LoggedPrices, PriceTarget
from policy.ope.selected import columns

PriceChunks = Callable[[], Iterable[PricedDecisions]]


class PricedSource(NamedTuple):
    """A log of prices to evaluate on.

    Args:
        name: Of the placement.
        log: What it drew.
    """

    name: str
    log: PriceLog


def of_priced(database: Path, placement: str, timezone: tzinfo = UTC) -> PricedSource:
    """The log of a placement with a price range.

    Raises:
        StoreError: There is none.
    """
    return PricedSource(placement, PriceLog(database, placement, timezone))


def priced_section(
    source: PricedSource,
    policies: tuple[Wanted, ...],
    by: tuple[str, ...],
    baseline: str | None,
    watched: Callable[[PriceChunks], PriceChunks],
) -> Section:
    """What prices and policies over prices would have earned.

    Args:
        source: The log.
        policies: Of different names: `price:CENTS`, `logged`, or saved models.
        by: Labels to tell apart.
        baseline: Name of the policy that others are compared with.
        watched: Makes a bar of a pass.

    Raises:
        EvaluationError: A policy over actions, or one that the log cannot be asked about.
    """
    targets = {one.name: target_of(one, source) for one in policies}
    if len(targets) < len(policies):
        raise EvaluationError("two policies have the same name: rename one of the files")
    question = PriceQuestion(targets, by, baseline=baseline)
    found = evaluate_prices(watched(source.log.chunks), question)
    warnings = [
        warning
        for one in policies
        if one.model is not None
        and (warning := known_already(one.name, one.model, source.name, "it on later decisions"))
        is not None
    ]
    if source.log.n_left_out:
        warnings.append(
            f"{source.log.n_left_out:,} decisions left out: drawn on another grid than steps of "
            f"{source.log.step} cents, or before the log held what could have been drawn"
        )
    return Section(source.name, found, baseline, warnings=warnings)


def target_of(wanted: Wanted, source: PricedSource) -> PriceTarget:
    """A policy over prices, for one log.

    Raises:
        EvaluationError: It is none, or the log cannot be asked about it.
    """
    log = source.log
    if wanted.price_cents is not None:
        return ConstantPrice(wanted.price_cents, log.lowest, log.highest, log.step)
    if wanted.model is not None:
        return _of_model(wanted.model, source)
    if wanted.name == "logged":
        return LoggedPrices()
    raise EvaluationError(
        f"--policy {wanted.name}: {source.name} draws prices out of a range, and this one chooses "
        "among actions; judge price:CENTS, logged, or a placement's saved model"
    )


def _of_model(path: Path, source: PricedSource) -> DrawnPrices:
    try:
        manifest, arrays = model_file.load(path.read_bytes())
        parameters, context = manifest.get("parameters"), manifest.get("context_names")
        if not isinstance(parameters, dict) or "price_range" not in parameters:
            raise EvaluationError(
                f"a model of kind {shown(manifest['kind'])} draws no prices out of a range"
            )
        if not isinstance(context, list):
            raise EvaluationError("it lacks the names of its features: save it by the service")
        names = [str(name) for name in context]
        policy = policy_of_spec(parameters, Names(names, list(PRICE_FEATURES)))
        policy.load_state(manifest, arrays)
        assert isinstance(policy, Cats)  # noqa: S101  # all with a price range are
        return DrawnPrices(policy, columns(names, source.log.context_names, "context"))
    except (OSError, ModelFileError, StateError, EvaluationError) as error:
        raise EvaluationError(f"--policy {path}: {error}") from None
