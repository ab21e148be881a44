"""Consent: through which channels a visitor may be addressed.

Asked by ``eligibility`` for actions that have a channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.catalog.action import CHANNELS
from policy.errors import CatalogError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEEDS_NO_CONSENT = frozenset({"onsite"})
"""Channels that are open to somebody who said nothing: the page that is being looked at."""


@dataclass(frozen=True, slots=True)
class Consent:
    """When silence is taken for consent, and under which names consent is given.

    A channel is closed to a visitor who refused it by its own name, as *Unsubscribed* refuses
    ``email``, or refused its purpose. It is open to one who granted either. Where nothing was said,
    ``unknown`` decides, but for ``onsite``, which is open then.

    Args:
        purposes: Name of the consent category that stands for a channel, where it is another than
            the channel's own.
        unknown: Whether a visitor who said nothing may be addressed.

    Raises:
        CatalogError: An unknown channel.

    Example:
        >>> consent = Consent({"email": "Advertising"})
        >>> said = {"Advertising": True}
        >>> consent.permits("email", said.get), consent.permits("push", said.get)
        (True, False)
    """

    purposes: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = False

    def __post_init__(self) -> None:
        for channel in self.purposes:
            if channel not in CHANNELS:
                hint = suggestion(str(channel), CHANNELS)
                raise CatalogError(f"channel {shown(channel)} of a purpose is none: {hint}")

    def permits(self, channel: str, said: Callable[[str], bool | None]) -> bool:
        """Whether a visitor may be addressed through a channel.

        Args:
            channel: One of ``CHANNELS``.
            said: What the visitor last said of a purpose: granted, refused, or nothing.
        """
        answers = [said(channel), said(self.purposes.get(channel, channel))]
        if False in answers:
            return False
        return True in answers or self.unknown or channel in NEEDS_NO_CONSENT
