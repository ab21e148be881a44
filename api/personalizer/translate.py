"""From Personalizer's request to one of ours: its JSON features become numbers.

Between the wire and the loop. A field of the context that the placement declares is taken as that;
all else is hashed (`policy.hashing`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from api.loop.errors import BadRequestError
from api.personalizer.settings import PersonalizerSettings
from api.schemas.decision import CandidateAction, DecisionRequest, SlotRequest
from api.schemas.personalizer import RankableAction, RankableSlot
from api.settings import PlacementSettings
from policy.errors import ContextError
from policy.hashing import FeatureHasher, hashed_names

ONLY_SLOT = "rank"
"""Name of the slot of a request that has none."""

LONGEST_ID = 200


class Known(NamedTuple):
    """What a request says of the moment.

    Args:
        visitor: Who is there; None where it does not say.
        declared: Fields of the placement's context.
        features: The rest, to be hashed.
    """

    visitor: str | None
    declared: dict[str, Any]
    features: list[dict[str, Any]]


class Translator:
    """Translates requests for one placement.

    Args:
        settings: Of the drop-in.
        placement: The settings of its placement.
    """

    def __init__(self, settings: PersonalizerSettings, placement: PlacementSettings) -> None:
        self._placement = placement.name
        self._visitor = settings.visitor
        self._declared = frozenset(placement.context)
        self._names = hashed_names(placement.hashed_features)
        self._contexts = FeatureHasher(placement.hashed_features, "context")
        self._actions = FeatureHasher(placement.hashed_features, "action")

    def known(self, features: Sequence[Mapping[str, Any]] | None) -> Known:
        """What `contextFeatures` say.

        Raises:
            BadRequestError: The visitor is no id.
        """
        known = Known(None, {}, [])
        for each in features or ():
            rest = dict(each)
            known.declared.update({name: rest.pop(name) for name in self._declared & rest.keys()})
            if self._visitor is not None and self._visitor in rest:
                known = known._replace(visitor=self._visitor_id(rest.pop(self._visitor)))
            known.features.append(rest)
        return known

    def request(
        self,
        known: Known,
        visitor: str,
        actions: Sequence[RankableAction],
        excluded: Sequence[str],
    ) -> DecisionRequest:
        """The request without its slots.

        Args:
            known: Of the moment.
            visitor: Whose decision it is.
            actions: The candidates.
            excluded: Ids not to choose.

        Raises:
            BadRequestError: A number that is not finite, or too many values.
        """
        return DecisionRequest.model_construct(
            visitor=visitor,
            placement=self._placement,
            context=known.declared,
            actions=[self._candidate(index, action) for index, action in enumerate(actions)],
            excluded=list(excluded),
        )

    def slots(self, known: Known, slots: Sequence[RankableSlot] | None) -> list[SlotRequest]:
        """Its slots, each with what is known of the moment and of the slot.

        Raises:
            BadRequestError: As `request`.
        """
        if slots is None:
            context = self._hashed("contextFeatures", self._contexts, known.features)
            return [SlotRequest.model_construct(id=ONLY_SLOT, context=context)]
        return [
            SlotRequest.model_construct(
                id=slot.id,
                context=self._hashed(
                    f"slots[{index}].features",
                    self._contexts,
                    [*known.features, {"slot": slot.features or []}],
                ),
                excluded=list(slot.excludedActions or ()),
                baseline=slot.baselineAction,
            )
            for index, slot in enumerate(slots)
        ]

    def _candidate(self, index: int, action: RankableAction) -> CandidateAction:
        features = action.features or []
        hashed = self._hashed(f"actions[{index}].features", self._actions, features)
        return CandidateAction.model_construct(id=action.id, features=hashed)

    def _hashed(self, field: str, hasher: FeatureHasher, features: Any) -> dict[str, float]:
        try:
            values = hasher.encode(features).tolist()
        except ContextError as error:
            raise BadRequestError(f"{field}.{error.field}", error.value, error.rule) from None
        return {name: x for name, x in zip(self._names, values, strict=True) if x}

    def _visitor_id(self, value: object) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_ID or "\0" in text:
            rule = f"must be a text of 1 to {LONGEST_ID} characters, or a whole number"
            raise BadRequestError(f"contextFeatures.{self._visitor}", value, rule)
        return text
