"""Shoppers in slots, lived through day by day: what every environment of this room wraps.

Shoppers are numbered: slot i of n begins with shopper ``first + i``, and each newcomer to it has an
id higher by n. A shopper's life is a function of the seed, its id and what is done to it, so it
does not depend on how many slots there are.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from simulator.dynamics import step
from simulator.dynamics.draws import shopper_keys
from simulator.dynamics.shopper import (
    N_STATES,
    N_TRAITS,
    Offer,
    Outcome,
    State,
    newborn,
    rows_of,
)
from simulator.errors import ActionError, WorldError
from simulator.footprint import N_SUMS, blank, fold
from simulator.readings import FEATURES, features

if TYPE_CHECKING:
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]
Observe = Literal["features", "features+segment", "oracle"]
OBSERVE: Final = get_args(Observe)


class Advance(Protocol):
    """`simulator.dynamics.step.advance` or its compiled twin."""

    def __call__(
        self,
        world: World,
        traits: Array,
        state: Array,
        action: npt.NDArray[np.int64],
        keys: npt.NDArray[np.uint64],
    ) -> tuple[Array, Array]:
        """The state tomorrow, and what happened today."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A crowd at a moment, to be restored; see ``Crowd.clone``."""

    seed: int
    shoppers: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    traits: Array
    state: Array
    sums: Array


class Crowd:
    """Shoppers of one world.

    Args:
        world: Where they live.
        n_shoppers: Number of slots, at least 1.
        seed: Of the luck; at least 0 and below 2^63.
        observe: "features": what the service would know from their events; "features+segment":
            and the true segment; "oracle": the latent traits and state.
        advance: How a day is computed; `simulator.dynamics.compiled.advance` is faster.

    Raises:
        WorldError: An argument outside of its range.

    Example:
        >>> from simulator.dynamics.world import World
        >>> crowd = Crowd(World(), 3, seed=1)
        >>> crowd.observation().shape, crowd.mask().shape
        ((3, 30), (3, 12))
        >>> crowd.live(np.zeros(3, np.int64)).reward.shape
        (3,)
    """

    def __init__(
        self,
        world: World,
        n_shoppers: int,
        *,
        seed: int = 0,
        observe: Observe = "features",
        advance: Advance | None = None,
    ) -> None:
        if not 1 <= n_shoppers <= 10**7:
            raise WorldError("n_shoppers", n_shoppers, "must be from 1 to 10,000,000")
        if observe not in OBSERVE:
            raise WorldError("observe", observe, f"must be one of {', '.join(OBSERVE)}")
        self.world = world
        self.observe = observe
        self._advance: Advance = advance or step.advance
        self._email = np.array([action.channel == "email" for action in world.actions])
        self._push = np.array([action.channel == "push" for action in world.actions])
        self.shoppers = np.arange(n_shoppers)
        self.start(seed)

    def start(self, seed: int, first: int = 0) -> None:
        """Begins anew with shoppers first, first + 1, ...

        Raises:
            WorldError: The seed is out of range.
        """
        if not 0 <= seed < 2**63:
            raise WorldError("seed", seed, "must be at least 0 and below 2**63")
        n = len(self.shoppers)
        self.seed = seed
        self.shoppers = np.arange(first, first + n)
        self.keys = np.empty(n, np.uint64)
        self.traits = np.empty((N_TRAITS, n))
        self.state = np.empty((N_STATES, n))
        self.sums = np.empty((N_SUMS, n))
        self._enter(np.ones(n, np.bool_))

    def replace(self, slots: npt.NDArray[np.bool_]) -> None:
        """New shoppers for these slots, (n,)."""
        self.shoppers = self.shoppers + len(self.shoppers) * slots
        self._enter(slots)

    def _enter(self, slots: npt.NDArray[np.bool_]) -> None:
        ids = self.shoppers[slots]
        self.keys[slots] = shopper_keys(self.seed, ids)
        self.traits[:, slots] = self.world.population.traits(self.seed, ids)
        self.state[:, slots] = newborn(len(ids))
        self.sums[:, slots] = blank(len(ids))

    def live(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """One day.

        Args:
            actions: Indices into ``world.actions``, (n,).

        Raises:
            ActionError: An action outside of the space, or masked; then nothing happened.
        """
        actions = self.checked(actions)
        day = self.state[0].copy()
        self.state, block = self._advance(self.world, self.traits, self.state, actions, self.keys)
        outcome = rows_of(Outcome, block)
        if self.observe != "oracle":
            columns = self.world.tables.actions[:, actions]
            calendar = day, day, day  # nothing reads it here
            offer = Offer(*(*columns, *calendar))
            self.sums = fold(self.sums, day, offer, outcome)
        return outcome

    def mask(self) -> npt.NDArray[np.bool_]:
        """Which actions reach each shopper: none of a channel that was left, (n, n_actions)."""
        state = rows_of(State, self.state)
        no_email = (state.email_on == 0.0)[:, None] & self._email
        no_push = (state.push_on == 0.0)[:, None] & self._push
        allowed: npt.NDArray[np.bool_] = ~(no_email | no_push)
        return allowed

    def observation(self) -> npt.NDArray[np.float32]:
        """What a policy sees this morning, (n, len(names))."""
        if self.observe == "oracle":
            return oracle(self.traits, self.state)
        vector = features(self.sums, self.state[0])
        if self.observe == "features":
            return vector
        segments = np.arange(len(self.world.population.segments))
        one_hot = (self.traits[0][:, None] == segments).astype(np.float32)
        return np.concatenate([vector, one_hot], axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the observation's columns."""
        if self.observe == "oracle":
            return ORACLE
        if self.observe == "features":
            return FEATURES
        return FEATURES + tuple(
            f"segment={segment.name}" for segment in self.world.population.segments
        )

    @property
    def left(self) -> npt.NDArray[np.bool_]:
        """Who has left for good, (n,)."""
        gone: npt.NDArray[np.bool_] = rows_of(State, self.state).alive == 0.0
        return gone

    @property
    def timed_out(self) -> npt.NDArray[np.bool_]:
        """Whose time is up, (n,)."""
        over: npt.NDArray[np.bool_] = self.state[0] >= self.world.horizon_days
        return over

    def clone(self) -> Snapshot:
        """The crowd as it is now, independent of what comes."""
        return Snapshot(
            self.seed, self.shoppers.copy(), self.keys.copy(), self.traits.copy(),
            self.state.copy(), self.sums.copy(),
        )  # fmt: skip

    def restore(self, snapshot: Snapshot) -> None:
        """Back to a moment; the same actions then lead to the same days, to the bit."""
        if len(snapshot.shoppers) != len(self.shoppers):
            n = len(self.shoppers)
            raise WorldError("snapshot", len(snapshot.shoppers), f"must hold {n} shoppers")
        own = copy.deepcopy(snapshot)
        self.seed, self.shoppers, self.keys = own.seed, own.shoppers, own.keys
        self.traits, self.state, self.sums = own.traits, own.state, own.sums

    def checked(self, actions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The actions, if all can be done this morning.

        Raises:
            ActionError: As ``live``.
        """
        chosen = np.asarray(actions)
        n_actions = self.world.n_actions
        if chosen.shape != self.shoppers.shape or chosen.dtype.kind not in "iu":
            raise ActionError(
                f"actions have shape {chosen.shape} of {chosen.dtype}: must be "
                f"{self.shoppers.shape} of whole numbers"
            )
        if ((chosen < 0) | (chosen >= n_actions)).any():
            wrong = chosen[(chosen < 0) | (chosen >= n_actions)][0]
            raise ActionError(f"action is {wrong}: must be from 0 to {n_actions - 1}")
        allowed = self.mask()[np.arange(len(chosen)), chosen]
        if not allowed.all():
            slot = int(np.flatnonzero(~allowed)[0])
            action = self.world.actions[int(chosen[slot])]
            raise ActionError(
                f"action {action.id!r} is masked for slot {slot}: the shopper has left the channel "
                f"{action.channel}; choose where action_mask is True"
            )
        return chosen.astype(np.int64)


ORACLE: Final = (
    "segment_0", "segment_1", "segment_2", "segment_3", "attraction_0", "attraction_1",
    "attraction_2", "attraction_3", "sensitivity", "visit_rate", "dropout", "spend_cents",
    "intent", "redemption", "store_share", "open_rate", "year_sin", "year_cos", "email_on",
    "push_on", "reference", "fatigue_email", "fatigue_push", "fatigue_site", "recency",
    "frequency", "loyalty", "addiction", "cart", "coupon", "pending", "back",
)  # fmt: skip
"""Columns of the oracle's observation."""


def oracle(traits: Array, state: Array) -> npt.NDArray[np.float32]:
    """What a shopper is and feels, columns as in ``ORACLE``, (n, n_columns)."""
    year = 2.0 * np.pi * state[0] / 364.0
    s = rows_of(State, state)
    columns = (
        *(traits[0] == np.arange(4.0)[:, None]),
        *np.log(traits[1:5]),
        traits[5] / 5.0, np.log(traits[6] + 1e-4) / 5.0, traits[7], np.log1p(traits[8]) / 10.0,
        *traits[9:13], np.sin(year), np.cos(year), s.email_on, s.push_on, s.reference,
        s.fatigue_email / 5.0, s.fatigue_push / 5.0, s.fatigue_site / 5.0,
        np.log1p(s.recency) / 5.0, np.log1p(s.frequency) / 3.0, s.loyalty, s.addiction, s.cart,
        s.coupon * (s.coupon_days > 0.0), s.pending_cents > 0.0, s.back_cents > 0.0,
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)
