"""Where a decision's randomness comes from: its own id, so that it can be drawn again.

A decision id is unguessable and doubles as the key of a counter-based generator (Philox; Salmon
et al. 2011): with the model version and the request, it re-derives the draw bit for bit.
"""

import os

import numpy as np

_TIME_BYTES = 6
_CHANCE_BYTES = 10
_POOL_BYTES = 400 * _CHANCE_BYTES


class DecisionIds:
    """Makes decision ids; asks the system for its randomness a few hundred at a time.

    Each system call lets go of the interpreter, which the writer's thread then takes and keeps for
    longer than the whole decision needs.
    """

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def new(self, now_us: int) -> str:
        """32 hexadecimal characters: 48 bits of time, which keep an index compact, 80 of chance."""
        if self._used >= len(self._pool):
            self._pool, self._used = os.urandom(_POOL_BYTES), 0
        chance = self._pool[self._used : self._used + _CHANCE_BYTES]
        self._used += _CHANCE_BYTES
        return ((now_us // 1000 & 0xFFFF_FFFF_FFFF).to_bytes(_TIME_BYTES, "big") + chance).hex()


class Chance:
    """One generator, set anew for every decision (1 us instead of 7 us for a new one)."""

    def __init__(self) -> None:
        self._bits = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state

    def of(self, decision_id: str, stream: int = 0) -> np.random.Generator:
        """The generator of a decision; valid until the next call.

        Args:
            decision_id: 32 hexadecimal characters.
            stream: Number of a stream of its own, for what must not move the draw.

        Example:
            >>> chance = Chance()
            >>> chance.of("0" * 31 + "1").random() == chance.of("0" * 31 + "1").random()
            True
        """
        key = int(decision_id, 16)
        self._start["state"]["key"][:] = (key >> 64, key & 0xFFFF_FFFF_FFFF_FFFF)
        self._start["state"]["counter"][-1] = stream
        self._bits.state = self._start
        return self._generator
