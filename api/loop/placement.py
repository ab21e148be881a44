"""A placement at work: its actions, encoders, policy and reward, built from the settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.settings import ActionSettings, PlacementSettings, Settings
from policy.bandits.build import make_policy
from policy.base import Policy
from policy.catalog.action import Action
from policy.encoder import ContextEncoder, ContextField, PairEncoder, StaticFeatures
from policy.reward.spec import RewardSpec
from segments.cluster.segmentation import N_SLOTS
from segments.pipeline import Pipeline

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Actions of one request or of the catalog, with what is the same for every visitor.

    Args:
        actions: In the order of the request.
        ids: Their ids.
        ids_json: The same as JSON, for the log.
        categories: Category of each, "" for none; None where no action has any. So the brands.
        static: What their pair features hold for every visitor.
    """

    actions: tuple[Action, ...]
    ids: tuple[str, ...]
    ids_json: str
    categories: tuple[str, ...] | None
    brands: tuple[str, ...] | None
    static: StaticFeatures

    @classmethod
    def of(cls, actions: Sequence[Action], pairs: PairEncoder) -> "Choices":
        """Choices among the given actions.

        Raises:
            CatalogError: When an action has a feature that the placement does not declare.
        """
        return cls._with(actions, pairs.static(actions))

    def without(self, excluded: frozenset[str]) -> "Choices":
        """The same without some."""
        kept = [index for index, name in enumerate(self.ids) if name not in excluded]
        return self._with([self.actions[index] for index in kept], self.static.subset(kept))

    @classmethod
    def _with(cls, actions: Sequence[Action], static: StaticFeatures) -> "Choices":
        return cls(
            tuple(actions),
            static.ids,
            json.dumps(static.ids),
            _shown([action.category for action in actions]),
            _shown([action.brand for action in actions]),
            static,
        )


def _shown(values: list[str | None]) -> tuple[str, ...] | None:
    return tuple(value or "" for value in values) if any(values) else None


@dataclass(slots=True, eq=False)
class Placement:
    """One placement; the policy is its only moving part.

    Args:
        parameters: The policy's kind and parameters as configured.
        fingerprint: Of parameters and layout: a decision's version names it.
        layout: Number of the logged vectors' layout in the store; set when the store is open.
        learned_through: Place in the log of the last reward that the policy learned.
        n_rewarded: Decisions rewarded up to there.
        reward_sum: What they earned.
    """

    name: str
    choices: Choices
    default: Action
    contexts: ContextEncoder
    pairs: PairEncoder
    policy: Policy
    reward: RewardSpec
    parameters: Mapping[str, object]
    fingerprint: str = ""
    layout: int = 0
    learned_through: int = 0
    n_rewarded: int = 0
    reward_sum: float = 0.0

    def __post_init__(self) -> None:
        text = json.dumps([self.parameters, self.names], sort_keys=True, default=list)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def version(self) -> str:
        """Names the policy that decides: placement, configuration, and how far it has learned."""
        return f"{self.name}.{self.fingerprint}@{self.learned_through}"

    @property
    def window_us(self) -> int:
        """Length of the attribution window."""
        return self.reward.window_minutes * MINUTE_US

    @property
    def names(self) -> dict[str, Sequence[str]]:
        """What the entries of a logged context and of logged features mean."""
        return {"context": self.contexts.names, "features": self.pairs.names}

    def matched(self, action: Action) -> str | None:
        """The action's value of the attribute that the reward is matched on."""
        match = self.reward.match
        if match is None:
            return None
        return action.id if match == "product_id" else getattr(action, match)


def to_action(settings: ActionSettings) -> Action:
    """The policy room's action of a configured one."""
    return Action(
        id=settings.id,
        kind=settings.kind,
        payload=json.dumps(settings.payload),
        category=settings.category,
        brand=settings.brand,
        features=tuple(settings.features.items()),
    )


def build_placement(settings: PlacementSettings, actions: Mapping[str, Action]) -> Placement:
    """A placement with an untrained policy.

    Raises:
        PolicyError: When parts of the configuration contradict each other.
    """
    chosen = [actions[name] for name in settings.actions]
    fields = tuple(
        ContextField(name, None if values == "number" else tuple(values))
        for name, values in settings.context.items()
    )
    contexts = ContextEncoder(Pipeline.feature_names, fields, N_SLOTS)
    feature_names = tuple(sorted({name for action in chosen for name, _ in action.features}))
    pairs = PairEncoder(feature_names, settings.crosses, contexts.names)
    policy = make_policy(
        settings.policy.kind,
        n_context=len(contexts.names),
        n_shared=len(pairs.names),
        **settings.policy.parameters,
    )
    return Placement(
        name=settings.name,
        choices=Choices.of(chosen, pairs),
        default=actions[settings.default],
        contexts=contexts,
        pairs=pairs,
        policy=policy,
        reward=settings.reward.spec(),
        parameters={"kind": settings.policy.kind, **settings.policy.parameters},
    )


def build_placements(settings: Settings) -> dict[str, Placement]:
    """Every configured placement by name."""
    actions = {action.id: to_action(action) for action in settings.actions}
    return {item.name: build_placement(item, actions) for item in settings.placements}
