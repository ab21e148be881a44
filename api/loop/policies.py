"""Policies from what describes them: settings, a spec that the store kept, or a model file.

Between `api.settings` and the store, which say what is wanted, and `api.loop.placement`, which
decides with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from api.rule_settings import PriceRangeSettings
from api.settings import PlacementSettings, PolicySettings
from policy.bandits.build import make_policy
from policy.bandits.cats import Cats, bin_features
from policy.base import Policy
from policy.encoder import INTERCEPT
from policy.errors import ParameterError, PolicyError
from policy.mixture import Mixture
from policy.model_file import load
from policy.ppo.policy import PPOPolicy
from policy.saved import load_policy

_APART = ("price_range", "challenger")


class Names(NamedTuple):
    """What a policy sees: names of the entries of a context, and of the pair features."""

    context: Sequence[str]
    features: Sequence[str]

    @property
    def of_bins(self) -> "Names":
        """What the policy that chooses among bins of prices sees."""
        return Names(
            (INTERCEPT,), [f"bin_feature_{i}" for i in range(bin_features(len(self.context)))]
        )


def configured_policy(
    placement: PlacementSettings,
    wanted: PolicySettings,
    names: Names,
    **parameters: Any,
) -> Policy:
    """One policy of a placement: one that is to learn, or a trained one out of its file.

    Args:
        placement: Its settings.
        wanted: Its policy, or its challenger.
        names: Of what it sees.
        **parameters: Beside those that are configured.

    Raises:
        ParameterError: A model file that cannot be used here; the message says why.
        PolicyError: Parameters that contradict each other.
    """
    given = {**wanted.parameters, **parameters}
    if wanted.model is None:
        return make_policy(wanted.kind, len(names.context), len(names.features), **given)
    where = f"placement {placement.name!r}: model {str(wanted.model)!r}"
    try:
        data = wanted.model.read_bytes()
        kind = load(data)[0]["kind"]
        if kind != wanted.kind:
            raise ParameterError(f"is of kind {kind!r}, not {wanted.kind!r}")
        return policy_of_file(data, names, placement.actions, **given)
    except OSError as error:
        raise ParameterError(f"{where} cannot be read: {error.strerror}") from None
    except PolicyError as error:
        raise ParameterError(f"{where}: {error}") from None


def policy_of_file(
    data: bytes, names: Names, action_ids: Sequence[str], **parameters: float
) -> Policy:
    """The policy of a model file, for these actions.

    Raises:
        PolicyError: It is no model file, or not for what is seen or shown here.
    """
    policy = load_policy(data, names.context, names.features, **parameters)
    if isinstance(policy, PPOPolicy):
        policy.require(action_ids)
    return policy


def policy_of_spec(spec: Mapping[str, Any], names: Names, **parameters: Any) -> Policy:
    """An untrained policy.

    Args:
        spec: Kind and parameters, of a price range with what belongs to it; as `spec_of` told it.
        names: Of what it sees.
        **parameters: Instead of those of the spec.

    Raises:
        PolicyError: This version knows no such kind or parameter.

    Example:
        >>> policy_of_spec({"kind": "linucb", "alpha": 0.5}, Names(["intercept"], [])).kind
        'linucb'
    """
    own = {name: value for name, value in spec.items() if name not in _APART} | parameters
    if "price_range" not in spec:
        return _made(own, names)
    chooser = _made(own, names.of_bins)
    rival = spec.get("challenger")
    if rival is not None:
        theirs = {name: value for name, value in rival.items() if name != "share"}
        chooser = Mixture(chooser, _made(theirs, names.of_bins), rival["share"])
    return of_prices(PriceRangeSettings(**spec["price_range"]), chooser, names)


def of_prices(priced: PriceRangeSettings, chooser: Policy, names: Names) -> Cats:
    """Draws prices out of a range, by a policy that chooses among its bins."""
    return Cats(
        chooser,
        len(names.context),
        priced.range(),
        n_bins=priced.n_bins,
        bandwidth_cents=priced.bandwidth_cents,
        floor=chooser.floor,
    )


def spec_of(wanted: PolicySettings, policy: Policy) -> dict[str, object]:
    """Kind and parameters of a configured policy, and which network it serves."""
    network = {"model": policy.digest} if isinstance(policy, PPOPolicy) else {}
    return {"kind": wanted.kind, **wanted.parameters, **network}


def file_of(policy: Policy) -> bytes | None:
    """The model file of a policy that is nothing without it; None of one that learns here."""
    return policy.network.to_bytes() if isinstance(policy, PPOPolicy) else None


def _made(spec: Mapping[str, Any], names: Names) -> Policy:
    try:
        kind, parameters = str(spec["kind"]), {k: v for k, v in spec.items() if k != "kind"}
        return make_policy(kind, len(names.context), len(names.features), **parameters)
    except (KeyError, TypeError) as error:
        raise PolicyError(f"spec {dict(spec)!r:.200} makes no policy: {error}") from None
