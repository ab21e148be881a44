"""A placement at work: its actions, encoders, policy and reward, built from the settings."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from api.loop.facts import FactReader
from api.loop.hand_made import belongings
from api.loop.lineup import CHALLENGER, CONFIGURED, Lineup, Model
from api.loop.policies import Names, configured_policy, of_prices, spec_of
from api.loop.pricing import Pricing
from api.loop.rules import rulebook_of, timezone_of, tracked_of
from api.settings import ActionSettings, PlacementSettings, Settings
from policy.bandits.cats import PRICE_FEATURES, Cats
from policy.base import Policy
from policy.catalog.action import Action
from policy.catalog.eligibility import Screen
from policy.catalog.holdout import Holdout
from policy.catalog.limit import Tracked
from policy.catalog.price import PriceGuards
from policy.catalog.rulebook import Rulebook
from policy.encoder import ContextEncoder, ContextField, PairEncoder, StaticFeatures
from policy.hashing import hashed_names
from policy.mixture import Mixture
from policy.reward.spec import RewardSpec
from segments.behaviour.reading import behaviour_vector
from segments.cluster.segmentation import N_SLOTS
from segments.context import Context
from segments.look import Look
from segments.pipeline import Pipeline

MINUTE_US = 60_000_000
MOST_SUBSETS, LARGEST_KEPT = 256, 256
"""Combinations of eligible actions that are kept ready, of at most so many actions."""


CONTROL, TREATMENT = "control", "treatment"


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Actions of one request or of the catalog, with what is the same for every visitor.

    Args:
        actions: In the order of the request.
        ids: Their ids.
        ids_json: The same as JSON, for the log.
        categories: Category of each, "" for none; None where no action has any. So the brands.
        static: What their pair features hold for every visitor.
        screen: Their rules; None where nothing can ever refuse one of them.
    """

    actions: tuple[Action, ...]
    ids: tuple[str, ...]
    ids_json: str
    categories: tuple[str, ...] | None
    brands: tuple[str, ...] | None
    static: StaticFeatures
    screen: Screen | None = None
    _subsets: dict[frozenset[int], "Choices"] = field(default_factory=dict)

    @classmethod
    def of(
        cls, actions: Sequence[Action], pairs: PairEncoder, screen: Screen | None = None
    ) -> "Choices":
        """Choices among the given actions.

        Raises:
            CatalogError: When an action has a feature that the placement does not declare.
        """
        return cls._with(actions, pairs.static(actions), screen)

    def without(self, refused: Collection[int]) -> "Choices":
        """The same without those at some positions; nothing is screened twice."""
        key = frozenset(refused)
        subset = self._subsets.get(key)
        if subset is None:
            kept = [index for index in range(len(self.ids)) if index not in key]
            actions = [self.actions[index] for index in kept]
            subset = self._with(actions, self.static.subset(kept))
            if len(self._subsets) >= MOST_SUBSETS:
                self._subsets.clear()
            if len(self.ids) <= LARGEST_KEPT:
                self._subsets[key] = subset
        return subset

    @classmethod
    def _with(
        cls, actions: Sequence[Action], static: StaticFeatures, screen: Screen | None = None
    ) -> "Choices":
        return cls(
            tuple(actions),
            static.ids,
            json.dumps(static.ids),
            _shown([action.category for action in actions]),
            _shown([action.brand for action in actions]),
            static,
            screen,
        )


def _shown(values: list[str | None]) -> tuple[str, ...] | None:
    return tuple(value or "" for value in values) if any(values) else None


@dataclass(slots=True, eq=False)
class Placement:
    """One placement; its policies are its only moving part.

    Args:
        lineup: What each policy does; `take` changes it.
        default: What is shown when nothing can be chosen, whatever the rules say.
        baseline: What the control group is shown: one action, with its rules.
        rulebook: Makes the screens of candidates that a request brings along.
        facts: Reads what the rulebook's conditions ask.
        holdout: Who belongs to the control group, where there is one.
        pricing: Draws the price of the one action, where a range is configured.
        models: Every policy that there is, also those that do nothing now, by key.
        behaviour: What the policy sees of a session against the visitor's past.
        fingerprint: Of parameters and layout: a decision's version names it.
        layout: Number of the logged vectors' layout in the store; set when the store is open.
    """

    name: str
    choices: Choices
    default: Choices
    baseline: Choices
    rulebook: Rulebook
    facts: FactReader
    holdout: Holdout | None
    contexts: ContextEncoder
    pairs: PairEncoder
    lineup: Lineup
    reward: RewardSpec
    pricing: Pricing | None = None
    models: dict[str, Model] = field(default_factory=dict)
    behaviour: tuple[str, ...] = ()
    fingerprint: str = ""
    layout: int = 0

    def __post_init__(self) -> None:
        self.take(self.lineup)

    def take(self, lineup: Lineup) -> None:
        """Go on with other policies, or the same in other roles."""
        self.lineup = lineup
        self.models |= {model.key: model for model in lineup.learning}
        self.fingerprint = fingerprint_of(lineup.parameters, self.names)

    @property
    def policy(self) -> Policy:
        """The champion's."""
        return self.lineup.champion.policy

    @property
    def parameters(self) -> Mapping[str, object]:
        """Kind and parameters of the policy that decides."""
        return self.lineup.parameters

    @property
    def learned_through(self) -> int:
        """Place in the log of the last reward that the policy learned."""
        return self.lineup.champion.learned_through

    @property
    def n_rewarded(self) -> int:
        """Decisions rewarded up to there."""
        return self.lineup.champion.n_rewarded

    @property
    def reward_sum(self) -> float:
        """What they earned."""
        return self.lineup.champion.reward_sum

    @property
    def version(self) -> str:
        """Names the policy that decides: placement, configuration, and how far it has learned."""
        return f"{self.name}.{self.fingerprint}@{self.learned_through}"

    def group(self, visitor: str) -> str | None:
        """`control` or `treatment`; None without a holdout."""
        if self.holdout is None:
            return None
        return CONTROL if self.holdout.holds(visitor) else TREATMENT

    def among(self, actions: Sequence[Action]) -> Choices:
        """Choices among actions of a request, under the rules of this placement.

        Raises:
            CatalogError: When an action has a feature that the placement does not declare.
        """
        return Choices.of(actions, self.pairs, self.rulebook.screen(actions))

    def with_default(self, action: Action) -> "Placement":
        """The same for one request whose default and baseline is an action that it brought along.

        Raises:
            CatalogError: As `among`.
        """
        changed = copy(self)
        changed.default = Choices.of([action], self.pairs)
        changed.baseline = self.among([action])
        return changed

    @property
    def asks_behaviour(self) -> bool:
        """Whether policy or rules look at sessions against the visitor's past."""
        return bool(self.behaviour) or any(one.root == "behaviour" for one in self.rulebook.fields)

    def context_of(
        self, look: Look, described: Context, slot: int | None, fields: Mapping[str, Any]
    ) -> npt.NDArray[np.float32]:
        """What the policy sees of a visitor and a request.

        Args:
            look: The visitor now.
            described: Their context.
            slot: Of their segment.
            fields: The request's own.

        Raises:
            ContextError: One of the fields breaks a rule.
        """
        seen = described.vector
        if self.behaviour:
            seen = np.concatenate([seen, behaviour_vector(look.session(), self.behaviour)])
        return self.contexts.encode(seen, slot, fields)

    @property
    def window_us(self) -> int:
        """Length of the attribution window."""
        return self.reward.window_minutes * MINUTE_US

    @property
    def names(self) -> dict[str, Sequence[str]]:
        """What the entries of a logged context and of logged features mean."""
        return {"context": self.contexts.names, "features": self.feature_names}

    @property
    def feature_names(self) -> Sequence[str]:
        """What the policy learns of a candidate."""
        return self.pairs.names if self.pricing is None else PRICE_FEATURES

    def matched(self, action: Action) -> str | None:
        """The action's value of the attribute that the reward is matched on."""
        match = self.reward.match
        if match is None:
            return None
        return action.id if match == "product_id" else getattr(action, match)


def fingerprint_of(parameters: Mapping[str, object], names: Mapping[str, Sequence[str]]) -> str:
    """Short name of a configuration: of kinds and parameters, and of what policies see."""
    text = json.dumps([parameters, names], sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def to_action(settings: ActionSettings) -> Action:
    """The policy room's action of a configured one."""
    return Action(
        id=settings.id,
        kind=settings.kind,
        payload=json.dumps(settings.payload),
        category=settings.category,
        brand=settings.brand,
        features=tuple(settings.features.items()),
        channel=settings.channel,
        price_cents=settings.price_cents,
        cost_cents=settings.cost_cents,
        price_of=settings.price_of,
    )


def build_placement(
    settings: PlacementSettings,
    configured: Settings,
    actions: Mapping[str, Action],
    tracked: Tracked,
) -> Placement:
    """A placement with an untrained policy.

    Args:
        settings: Of this placement.
        configured: All of them.
        actions: The catalog.
        tracked: The limits.

    Raises:
        PolicyError: When parts of the configuration contradict each other.
    """
    chosen = [actions[name] for name in settings.actions]
    fields = tuple(
        ContextField(name, None if values == "number" else tuple(values))
        for name, values in settings.context.items()
    )
    n_hashed = settings.hashed_features
    hashed = hashed_names(n_hashed)
    fields += tuple(ContextField(name) for name in hashed)
    behaviour = tuple(f"behaviour.{name}" for name in settings.behaviour)
    contexts = ContextEncoder((*Pipeline.feature_names, *behaviour), fields, N_SLOTS)
    feature_names = tuple(sorted({name for action in chosen for name, _ in action.features}))
    pairs = PairEncoder((*feature_names, *hashed), settings.crosses, contexts.names, n_hashed)
    rulebook = rulebook_of(settings, configured, tracked)
    baseline = [actions[settings.baseline or settings.default]]
    names = Names(contexts.names, pairs.names)
    policy = _policy(settings, names)
    return Placement(
        name=settings.name,
        choices=Choices.of(chosen, pairs, rulebook.screen(chosen)),
        default=Choices.of([actions[settings.default]], pairs),
        baseline=Choices.of(baseline, pairs, rulebook.screen(baseline)),
        rulebook=rulebook,
        facts=FactReader(
            rulebook.fields, timezone_of(configured), belongings(configured.segments.hand_made)
        ),
        holdout=None if settings.holdout is None else settings.holdout.holdout(),
        contexts=contexts,
        pairs=pairs,
        lineup=configured_lineup(settings, policy, names),
        reward=settings.reward.spec(),
        pricing=_pricing(settings, chosen[0], policy),
        behaviour=settings.behaviour,
    )


def build_placements(settings: Settings) -> dict[str, Placement]:
    """Every configured placement by name."""
    actions = {action.id: to_action(action) for action in settings.actions}
    tracked = tracked_of(settings)
    return {
        item.name: build_placement(item, settings, actions, tracked) for item in settings.placements
    }


def configured_lineup(settings: PlacementSettings, policy: Policy, names: Names) -> Lineup:
    """What the configuration alone says: the policy, and the challenger where there is one.

    Args:
        settings: Of the placement.
        policy: Of `[placements.policy]`, untrained; of a price range with its challenger inside.
        names: Of what both see.
    """
    champion = Model(CONFIGURED, 1, _configured_spec(settings, policy), policy)
    rival = settings.challenger
    if rival is None or settings.price_range is not None:
        return Lineup(champion)
    challenger = configured_policy(settings, rival, names, floor=policy.floor)
    other = Model(CHALLENGER, 1, spec_of(rival, challenger), challenger)
    return Lineup(champion, other, rival.share)


def _configured_spec(settings: PlacementSettings, policy: Policy) -> dict[str, object]:
    """Kind and parameters of `[placements.policy]`; of a price range with what belongs to it."""
    spec, rival = spec_of(settings.policy, policy), settings.challenger
    if settings.price_range is not None:
        spec["price_range"] = settings.price_range.model_dump()
        if rival is not None:
            spec["challenger"] = {"kind": rival.kind, "share": rival.share, **rival.parameters}
    return spec


def _policy(settings: PlacementSettings, names: Names) -> Policy:
    priced, rival = settings.price_range, settings.challenger
    if priced is None:
        return configured_policy(settings, settings.policy, names)
    chooser = configured_policy(settings, settings.policy, names.of_bins)
    if rival is not None:
        challenger = configured_policy(settings, rival, names.of_bins)
        chooser = Mixture(chooser, challenger, rival.share)
    return of_prices(priced, chooser, names)


def _pricing(settings: PlacementSettings, action: Action, policy: Policy) -> Pricing | None:
    if not isinstance(policy, Cats):
        return None
    guards = PriceGuards() if settings.price is None else settings.price.guards()
    return Pricing.of(settings.name, action, policy, guards)
