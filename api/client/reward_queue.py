"""Rewards that wait to be sent, and when to try again.

Under both clients: the one sends from a thread, the other from a task. Nothing here waits.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence

from api.client.errors import SegueError, UnreachableError
from api.client.model import Reward

BATCH = 100
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 30.0

OnLost = Callable[[Reward, SegueError], None]
"""Told of a reward that will not be counted, and why."""


class RewardQueue:
    """Rewards in their order, bounded.

    Args:
        largest: How many may wait.
        on_lost: Told of those that are given up.
    """

    def __init__(self, largest: int, on_lost: OnLost | None) -> None:
        self._largest = largest
        self._on_lost = on_lost
        self._waiting: deque[Reward] = deque()
        self._lock = threading.Lock()
        self._in_flight: list[Reward] = []

    def __len__(self) -> int:
        """Rewards that are not settled."""
        with self._lock:
            return len(self._waiting) + len(self._in_flight)

    def put(self, reward: Reward) -> bool:
        """Queue a reward; False, and it is lost, where too many wait."""
        with self._lock:
            full = len(self._waiting) >= self._largest
            if not full:
                self._waiting.append(reward)
        if full:
            rule = f"{self._largest} rewards wait already: the service is away for long"
            self.lose([reward], UnreachableError(rule))
        return not full

    def take(self) -> list[Reward]:
        """The next batch; `settle` or `give_back` follows."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._in_flight = batch
        return batch

    def settle(self, refused: Sequence[tuple[Reward, SegueError]]) -> None:
        """The batch was answered; some of it may be refused for good."""
        with self._lock:
            self._in_flight = []
        for reward, error in refused:
            self.lose([reward], error)

    def give_back(self, batch: Sequence[Reward]) -> None:
        """A batch was not answered: it is the next one again."""
        with self._lock:
            self._waiting.extendleft(reversed(batch))
            self._in_flight = []

    def lose(self, rewards: Sequence[Reward], error: SegueError) -> None:
        """Tell of rewards that will not be counted."""
        if self._on_lost is not None:
            for reward in rewards:
                self._on_lost(reward, error)

    def clear(self, error: SegueError) -> None:
        """Give up what is not settled."""
        with self._lock:
            left = [*self._in_flight, *self._waiting]
            self._in_flight = []
            self._waiting.clear()
        self.lose(left, error)


class Backoff:
    """How long to wait before the next attempt: twice as long each time, with chance in it.

    Args:
        rng: Where the chance comes from, so that many clients do not come back at one instant.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._attempts = 0

    def next_s(self, error: UnreachableError) -> float:
        """Seconds to wait now; never less than the service asks for."""
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * float(2**self._attempts))
        self._attempts = min(self._attempts + 1, 20)
        return max(delay * self._rng.uniform(0.5, 1.0), error.retry_after_s or 0.0)

    def reset(self) -> None:
        """An attempt succeeded."""
        self._attempts = 0
