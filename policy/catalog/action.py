"""One thing that can be offered to a visitor.

Where the configuration's, or a request's, actions enter; behind it, every action is sound.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from policy.bounds import LARGEST_FEATURE
from policy.errors import CatalogError, shown

ACTION_KINDS: frozenset[str] = frozenset({"content", "message", "offer", "price", "recommendation"})

CHANNELS: tuple[str, ...] = ("email", "push", "sms", "onsite")
"""Ways in which a message reaches somebody."""

LONGEST_NAME = 200
LONGEST_PAYLOAD = 100_000
MOST_FEATURES = 200
LARGEST_CENTS = 10**12


@dataclass(frozen=True, slots=True)
class Action:
    """An action, checked when it is made.

    Args:
        id: 1 to 200 printable characters, unique in its catalog.
        kind: One of ``ACTION_KINDS``.
        payload: What the storefront gets to render, as JSON text of at most 100,000 characters.
        category: Product category that it shows, if any; the visitor's affinity to it is a feature.
        brand: Brand that it shows, if any.
        features: (name, value) pairs of what else is known of it, at most 200; finite, of order 1.
        channel: One of ``CHANNELS``: how it reaches the visitor, who may have to consent. A message
            needs one.
        price_cents: The price that it shows, in minor units. A price needs one.
        cost_cents: What it costs the shop, in minor units; a margin floor compares the two.
        price_of: What it is the price of; guards compare prices of the same thing only.

    Raises:
        CatalogError: Naming the action, the field, the value and the rule.

    Example:
        >>> Action("free-shipping", "offer", features=(("discount", 0.1),)).payload
        '{}'
    """

    id: str
    kind: str
    payload: str = "{}"
    category: str | None = None
    brand: str | None = None
    features: tuple[tuple[str, float], ...] = ()
    channel: str | None = None
    price_cents: int | None = None
    cost_cents: int | None = None
    price_of: str | None = None

    def __post_init__(self) -> None:
        if not _is_name(self.id):
            raise CatalogError(
                f"action id is {shown(self.id)}: must be 1 to {LONGEST_NAME} printable characters"
            )
        if not isinstance(self.kind, str) or self.kind not in ACTION_KINDS:
            self._refuse("kind", self.kind, f"must be one of {', '.join(sorted(ACTION_KINDS))}")
        for field, value in (("category", self.category), ("brand", self.brand)):
            if value is not None and not _is_name(value):
                self._refuse(field, value, f"must be 1 to {LONGEST_NAME} printable characters")
        if self.payload != "{}":
            self._check_payload()
        if self.features:
            self._check_features()
        self._check_terms()

    def _check_terms(self) -> None:
        """What rules look at: the channel of a message, the price of a price."""
        for field, value in (("price_cents", self.price_cents), ("cost_cents", self.cost_cents)):
            if value is not None and not _is_cents(value):
                self._refuse(field, value, f"must be whole cents from 0 to {LARGEST_CENTS}")
        if self.price_of is not None and not _is_name(self.price_of):
            rule = f"must be 1 to {LONGEST_NAME} printable characters"
            self._refuse("price_of", self.price_of, rule)
        if self.channel is not None and self.channel not in CHANNELS:
            self._refuse("channel", self.channel, f"must be one of {', '.join(CHANNELS)}")
        if self.kind == "price" and self.price_cents is None:
            self._refuse("price_cents", None, "a price needs one, in minor units")
        if self.kind == "message" and self.channel is None:
            self._refuse("channel", None, f"a message needs one of {', '.join(CHANNELS)}")

    def _check_payload(self) -> None:
        if not isinstance(self.payload, str) or len(self.payload) > LONGEST_PAYLOAD:
            self._refuse(
                "payload", self.payload, f"must be JSON of at most {LONGEST_PAYLOAD} characters"
            )
        try:
            json.loads(self.payload, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as cause:
            self._refuse("payload", self.payload, f"must be JSON ({cause})")

    def _check_features(self) -> None:
        if not isinstance(self.features, tuple) or len(self.features) > MOST_FEATURES:
            self._refuse("features", self.features, f"must be at most {MOST_FEATURES} pairs")
        for pair in self.features:
            if not isinstance(pair, tuple) or len(pair) != 2:
                self._refuse("feature", pair, "must be a pair of name and value")
            name, value = pair
            if not _is_name(name):
                rule = f"must be 1 to {LONGEST_NAME} printable characters"
                self._refuse("feature name", name, rule)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not -LARGEST_FEATURE <= value <= LARGEST_FEATURE:
                rule = f"must be a finite number within ±{LARGEST_FEATURE:g}"
                self._refuse(f"feature {shown(name)}", value, rule)
        if len({name for name, _ in self.features}) != len(self.features):
            self._refuse("features", self.features, "must have distinct names")

    def _refuse(self, field: str, value: object, rule: str) -> NoReturn:
        raise CatalogError(f"action {shown(self.id)}: {field} is {shown(value)}: {rule}")


def _is_name(value: object) -> bool:
    """Printable leaves out line breaks, NUL and lone surrogates, which no log or page can show."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _is_cents(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_CENTS


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
