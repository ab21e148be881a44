"""The policy of a placement from its settings: one that is to learn, or a trained one's file.

Between `api.settings`, which says what is wanted, and `api.loop.placement`, which decides with it.
"""

from collections.abc import Sequence

from api.settings import PlacementSettings, PolicySettings
from policy.bandits.build import make_policy
from policy.base import Policy
from policy.errors import ParameterError, PolicyError
from policy.mixture import Mixture
from policy.model_file import load
from policy.ppo.policy import PPOPolicy
from policy.saved import load_policy


def chooser_of(
    settings: PlacementSettings, context_names: Sequence[str], feature_names: Sequence[str]
) -> Policy:
    """The policy that chooses among the placement's actions, its challenger mixed in.

    Raises:
        ParameterError: A model file that cannot be used here; the message says why.
        PolicyError: Parameters that contradict each other.
    """
    policy = _made(settings, settings.policy, context_names, feature_names)
    rival = settings.challenger
    if rival is None:
        return policy
    challenger = _made(settings, rival, context_names, feature_names)
    return Mixture(policy, challenger, rival.share)


def parameters_of(settings: PlacementSettings, policy: Policy) -> dict[str, object]:
    """What a placement's version depends on: kinds, parameters, and which models are served."""
    parts = (
        (policy.champion, policy.challenger) if isinstance(policy, Mixture) else (policy, policy)
    )
    parameters = {"kind": settings.policy.kind, **settings.policy.parameters, **_model(parts[0])}
    if settings.price_range is not None:
        parameters["price_range"] = settings.price_range.model_dump()
    rival = settings.challenger
    if rival is not None:
        own = {"kind": rival.kind, "share": rival.share, **rival.parameters, **_model(parts[1])}
        parameters["challenger"] = own
    return parameters


def _made(
    placement: PlacementSettings,
    wanted: PolicySettings,
    context_names: Sequence[str],
    feature_names: Sequence[str],
) -> Policy:
    if wanted.model is None:
        n_context, n_shared = len(context_names), len(feature_names)
        return make_policy(wanted.kind, n_context, n_shared, **wanted.parameters)
    where = f"placement {placement.name!r}: model {str(wanted.model)!r}"
    try:
        data = wanted.model.read_bytes()
        kind = load(data)[0]["kind"]
        if kind != wanted.kind:
            raise ParameterError(f"is of kind {kind!r}, not {wanted.kind!r}")
        policy = load_policy(data, context_names, feature_names, **wanted.parameters)
        if isinstance(policy, PPOPolicy):
            policy.require(placement.actions)
    except OSError as error:
        raise ParameterError(f"{where} cannot be read: {error.strerror}") from None
    except PolicyError as error:
        raise ParameterError(f"{where}: {error}") from None
    return policy


def _model(policy: Policy) -> dict[str, object]:
    return {"model": policy.digest} if isinstance(policy, PPOPolicy) else {}
