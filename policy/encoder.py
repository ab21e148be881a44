"""From what is known of a visitor and of the actions to the numbers that a policy sees.

Between profile and request on one side and the policy on the other. Every number that comes out is
a float32, so that a decision is logged in 4 bytes a feature and replayed to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bounds import LARGEST_FEATURE
from policy.errors import CatalogError, ContextError, ParameterError, shown, suggestion
from policy.hashing import circulant, hashed_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.bounds import Floats
    from policy.catalog.action import Action

Vector = npt.NDArray[np.float32]

INTERCEPT = "intercept"
AFFINITIES = ("category_affinity", "brand_affinity")


@dataclass(frozen=True, slots=True)
class ContextField:
    """One field that a request's context may carry.

    Args:
        name: Its key.
        values: The closed set of texts that it takes, one 0/1 feature each; None for a number.

    Raises:
        ParameterError: An empty name, or values that are empty or repeat.

    Example:
        >>> ContextField("device", ("desktop", "mobile")).feature_names
        ('device=desktop', 'device=mobile')
    """

    name: str
    values: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ParameterError("a context field needs a name")
        if self.values is not None and (
            not self.values or len(set(self.values)) != len(self.values)
        ):
            raise ParameterError(
                f"values of context field {shown(self.name)} are {shown(self.values)}: must be "
                "distinct, and at least one"
            )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features that it becomes."""
        if self.values is None:
            return (self.name,)
        return tuple(f"{self.name}={value}" for value in self.values)


class ContextEncoder:
    """Profile, segment and a request's own fields as one vector.

        [1, profile..., one-hot segment slot..., fields...]

    Args:
        profile_names: Names of the profile's features.
        fields: What else a request may say. What it leaves out is 0.
        n_segment_slots: Length of the one-hot part for the segment.

    Raises:
        ParameterError: Two features would have one name.

    Example:
        >>> encoder = ContextEncoder(("recency_days",), (ContextField("cart_items"),), 2)
        >>> encoder.names
        ('intercept', 'recency_days', 'segment_0', 'segment_1', 'cart_items')
        >>> encoder.encode(np.float32([0.5]), 1, {"cart_items": 3})
        array([1. , 0.5, 0. , 1. , 3. ], dtype=float32)
    """

    def __init__(
        self, profile_names: Sequence[str], fields: Sequence[ContextField], n_segment_slots: int
    ) -> None:
        segment_names = tuple(f"segment_{slot}" for slot in range(n_segment_slots))
        field_names = tuple(name for field in fields for name in field.feature_names)
        self.names = (INTERCEPT, *profile_names, *segment_names, *field_names)
        _check_distinct(self.names)
        _check_distinct(tuple(field.name for field in fields))
        self._n_profile = len(profile_names)
        self._n_slots = n_segment_slots
        # A number has a position; a text has one for each of its values.
        self._positions: dict[str, int | dict[str, int]] = {}
        position = 1 + self._n_profile + n_segment_slots
        for field in fields:
            self._positions[field.name] = (
                position
                if field.values is None
                else {value: position + i for i, value in enumerate(field.values)}
            )
            position += len(field.feature_names)
        self._blank = np.zeros(position, np.float32)
        self._blank[0] = 1.0

    def encode(
        self, profile_vector: Vector, segment_slot: int | None, values: Mapping[str, object]
    ) -> Vector:
        """The context of one decision.

        Args:
            profile_vector: (n_profile,).
            segment_slot: From 0 up to the number of slots; None for a visitor in no segment.
            values: A request's own fields by name; true counts as 1. None means left out.

        Returns:
            (len(names),), the intercept first.

        Raises:
            ContextError: A field is unknown, of the wrong type, not finite or not in its set.
        """
        if profile_vector.shape != (self._n_profile,):
            rule = f"must have shape ({self._n_profile},)"
            raise ContextError("profile", profile_vector.shape, rule)
        encoded = self._blank.copy()
        encoded[1 : 1 + self._n_profile] = profile_vector
        if segment_slot is not None:
            if not 0 <= segment_slot < self._n_slots:
                raise ContextError("segment", segment_slot, f"must be below {self._n_slots}")
            encoded[1 + self._n_profile + segment_slot] = 1.0
        for name, value in values.items():
            position = self._positions.get(name)
            if (
                type(value) is float
                and type(position) is int
                and -LARGEST_FEATURE <= value <= LARGEST_FEATURE
            ):  # nearly always: without a call
                encoded[position] = value
                continue
            if position is None:
                hint = suggestion(str(name), self._positions)
                raise ContextError(name, value, f"no such field; {hint}")
            if value is None:
                continue
            if isinstance(position, dict):
                encoded[_category(name, value, position)] = 1.0
            else:
                encoded[position] = _number(name, value)
        return encoded


@dataclass(frozen=True, slots=True, eq=False)
class StaticFeatures:
    """What a set of actions brings along to every decision; made once a catalog.

    Args:
        ids: (n_actions,).
        matrix: The pair features with affinities and crosses still 0, (n_actions, n_shared).
    """

    ids: tuple[str, ...]
    matrix: Vector

    def subset(self, indices: Sequence[int]) -> StaticFeatures:
        """The actions at these positions."""
        return StaticFeatures(tuple(self.ids[i] for i in indices), self.matrix[list(indices)])


class PairEncoder:
    """The features of each (context, action) pair that all actions share weights on.

        [1, category affinity, brand affinity, action features..., crosses...]

    A cross is the product of a context feature and an action-side one. Where JSON is hashed into
    features of both sides (``policy.hashing``), further entries hold all products of the one's
    values with the other's, hashed again.

    Args:
        feature_names: The action features to use; an action without one has 0 there.
        crosses: (context name, action-side name) pairs.
        context_names: ``ContextEncoder.names``.
        n_hashed: How many features JSON is hashed into; both sides' names hold them.

    Raises:
        ParameterError: A cross names something unknown, or two features would have one name.

    Example:
        >>> from policy.catalog.action import Action
        >>> encoder = PairEncoder(("discount",), (("cart", "discount"),), ("intercept", "cart"))
        >>> encoder.names
        ('intercept', 'category_affinity', 'brand_affinity', 'discount', 'cart*discount')
        >>> offers = encoder.static([Action("ten", "offer", features=(("discount", 0.5),))])
        >>> encoder.encode(np.float32([1, 3]), offers, np.array([0.25]), np.zeros(1))
        array([[1.  , 0.25, 0.  , 0.5 , 1.5 ]], dtype=float32)
    """

    def __init__(
        self,
        feature_names: Sequence[str],
        crosses: Sequence[tuple[str, str]],
        context_names: Sequence[str],
        n_hashed: int = 0,
    ) -> None:
        action_side = (INTERCEPT, *AFFINITIES, *feature_names)
        products = (f"hashed_product_{i}" for i in range(n_hashed))
        self.names = (
            *action_side,
            *(f"{context}*{action}" for context, action in crosses),
            *products,
        )
        _check_distinct(self.names)
        columns = {name: i for i, name in enumerate(action_side)}
        self._columns = {name: columns[name] for name in feature_names}
        rows = {name: i for i, name in enumerate(context_names)}
        for context, action in crosses:
            for name, known in ((context, rows), (action, columns)):
                if name not in known:
                    raise ParameterError(
                        f"cross {shown((context, action))} names {shown(name)}: "
                        f"{suggestion(name, known)}"
                    )
        self._first_cross = len(action_side)
        self._cross_context = np.array([rows[context] for context, _ in crosses], np.intp)
        self._cross_action = np.array([columns[action] for _, action in crosses], np.intp)
        self._first_product = self._first_cross + len(crosses)
        self._hashed_context = np.array([rows[name] for name in hashed_names(n_hashed)], np.intp)
        self._hashed_action = np.array([columns[name] for name in hashed_names(n_hashed)], np.intp)
        self._circulant = circulant(n_hashed)

    def static(self, actions: Sequence[Action]) -> StaticFeatures:
        """The part of the features that does not depend on the visitor.

        Raises:
            CatalogError: An action has a feature that is not declared.
        """
        matrix = np.zeros((len(actions), len(self.names)), np.float32)
        matrix[:, 0] = 1.0
        for row, action in enumerate(actions):
            for name, value in action.features:
                column = self._columns.get(name)
                if column is None:
                    raise CatalogError(
                        f"action {shown(action.id)} has feature {shown(name)}, which is not "
                        f"declared: {suggestion(name, self._columns)}"
                    )
                matrix[row, column] = value
        return StaticFeatures(tuple(action.id for action in actions), matrix)

    def encode(
        self,
        context: Vector,
        actions: Sequence[Action] | StaticFeatures,
        category_affinity: Floats | float,
        brand_affinity: Floats | float,
    ) -> Vector:
        """The features of every pair of this context and an action.

        Args:
            context: From ``ContextEncoder.encode``, (n_context,).
            actions: The actions; ``static`` of them saves most of the time.
            category_affinity: Of the visitor to each action's category, (n_actions,); a number
                stands for all.
            brand_affinity: Of the visitor to each action's brand, likewise.

        Returns:
            (n_actions, n_shared).

        Raises:
            CatalogError: As ``static``.
        """
        known = actions if isinstance(actions, StaticFeatures) else self.static(actions)
        features = known.matrix.copy()
        features[:, 1] = category_affinity
        features[:, 2] = brand_affinity
        if len(self._cross_action):
            crossed = features.take(self._cross_action, axis=1)
            crossed *= context.take(self._cross_context)
            features[:, self._first_cross : self._first_product] = crossed
        if len(self._hashed_action):
            hashed = context.take(self._hashed_context)[self._circulant]
            features[:, self._first_product :] = known.matrix.take(self._hashed_action, 1) @ hashed
        return features


def _number(name: str, value: object) -> float:
    if not isinstance(value, (int, float)):
        raise ContextError(name, value, "must be a number")
    if not -LARGEST_FEATURE <= value <= LARGEST_FEATURE:
        raise ContextError(name, value, f"must be a finite number within ±{LARGEST_FEATURE:g}")
    return float(value)


def _category(name: str, value: object, positions: Mapping[str, int]) -> int:
    position = positions.get(value) if isinstance(value, str) else None
    if position is None:
        raise ContextError(name, value, f"must be one of the texts {shown(sorted(positions))}")
    return position


def _check_distinct(names: tuple[str, ...]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ParameterError(f"two features are called {shown(name)}: names must be distinct")
