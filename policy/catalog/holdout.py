"""The control group: who keeps seeing the baseline, so that lift can be measured.

Decided in front of the policy, by the visitor alone; what the control group is shown has
probability 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from policy.bounds import parameter
from policy.errors import ParameterError, shown

LONGEST_SALT = 200

_SCALE = 2.0**-64


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of all visitors, the same ones as long as the salt is the same.

    A visitor is held out when a hash of salt and id, as a fraction, is below the share. So a larger
    share keeps everybody who was held out before, and placements with one salt share one group.

    Args:
        share: Of the visitors, above 0 and below 1.
        salt: 1 to 200 characters. Another one draws another group.

    Raises:
        ParameterError: The share or the salt is out of its range.

    Example:
        >>> Holdout(0.05).holds("ann"), Holdout(0.95).holds("ann")
        (False, True)
    """

    share: float
    salt: str = "holdout"

    def __post_init__(self) -> None:
        if parameter("share", self.share, 0.0, 1.0, open_high=True) == 0.0:
            raise ParameterError("share is 0: nobody would be held out; leave the holdout out")
        if not isinstance(self.salt, str) or not 0 < len(self.salt) <= LONGEST_SALT:
            raise ParameterError(
                f"salt is {shown(self.salt)}: must be 1 to {LONGEST_SALT} characters"
            )

    def holds(self, visitor: str) -> bool:
        """Whether a visitor belongs to the control group.

        Args:
            visitor: The id in use. Somebody who becomes known under another id is drawn again.
        """
        # Length first: salt "a" with visitor "bc" is not salt "ab" with visitor "c".
        text = f"{len(self.salt)}:{self.salt}{visitor}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
        return number * _SCALE < self.share
