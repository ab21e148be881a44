"""The gate at work: settled decisions of each trial into its bets, and its verdict into a step.

Beside the request path: the log is read on a connection of its own and the bets are placed on a
thread. A gate is saved with how far it has read in one row, so that a crash counts nothing twice;
its verdict is in what is saved, so that a crash between the two loses none either.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import structlog

from api.loop.clock import Clock
from api.loop.errors import ConflictError
from api.loop.lineup import Lineup
from api.loop.placement import Placement
from api.loop.roster import Because, Roster
from api.promotion_settings import PromotionSettings, reward_bounds
from api.settings import PlacementSettings
from api.storage.base import Store
from api.storage.trial import Asked, GateRow, SettledRow
from policy import model_file
from policy.errors import PolicyError
from policy.promotion.gate import Gate, Verdict
from policy.promotion.terms import Rows, Terms

log = structlog.get_logger()

EVERY_SECONDS = 1.0
GATE = "gate"
HOUR_US = 3_600_000_000


class Watched:
    """The trial of one placement, as far as its gate has read.

    Args:
        trial: The step that began it.
        gate: The bets.
        read_through: Place in the log of decisions.
    """

    def __init__(self, trial: int, gate: Gate, read_through: int) -> None:
        self.trial = trial
        self.gate = gate
        self.read_through = read_through

    def row(self, placement: str) -> GateRow:
        """As it is saved."""
        data = model_file.dump(*self.gate.state())
        return GateRow(placement, self.trial, self.read_through, data)


class Gatekeeper:
    """Watches the trials of the placements that have a `[placements.promotion]`.

    Args:
        settings: Of the placements.
        placements: By name.
        store: The log.
        roster: Told of verdicts.
        clock: Says what is settled.
    """

    def __init__(
        self,
        settings: Iterable[PlacementSettings],
        placements: Mapping[str, Placement],
        store: Store,
        roster: Roster,
        clock: Clock,
    ) -> None:
        self._settings = {one.name: one for one in settings if one.promotion is not None}
        self._placements = placements
        self._store = store
        self._roster = roster
        self._clock = clock
        self._watched: dict[str, Watched] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run_once(self) -> None:
        """Read what is settled now, and act on it where that is configured."""
        async with self._one_at_a_time:
            for name in self._settings:
                try:
                    await self._run(self._placements[name])
                except ConflictError as error:  # somebody changed the lineup meanwhile
                    log.info("verdict_too_late", placement=name, reason=str(error))

    async def look(self, placement_name: str) -> Watched | None:
        """The same as `watched`, read from the store where it was not looked at yet."""
        placement = self._placements[placement_name]
        async with self._one_at_a_time:
            on_trial = placement_name in self._settings and placement.lineup.challenger is not None
            if not on_trial:
                return None
            found = self.watched(placement_name)
            return found or await self._taken_up(placement, placement.lineup)

    def watched(self, placement: str) -> Watched | None:
        """The trial that is on; None where there is none, or it was not looked at yet."""
        found = self._watched.get(placement)
        trial = self._placements[placement].lineup.trial
        return found if found is not None and found.trial == trial else None

    def promotion(self, placement: str) -> PromotionSettings | None:
        """What is configured for a placement."""
        settings = self._settings.get(placement)
        return None if settings is None else settings.promotion

    @property
    def read_through(self) -> int | None:
        """Place in the log of decisions up to which every trial has read; None without any."""
        on_trial = [
            self.watched(name)
            for name in self._settings
            if self._placements[name].lineup.challenger is not None
        ]
        return min((0 if one is None else one.read_through for one in on_trial), default=None)

    async def _run(self, placement: Placement) -> None:
        lineup = placement.lineup
        if lineup.challenger is None:
            self._watched.pop(placement.name, None)
            return
        watched = self.watched(placement.name) or await self._taken_up(placement, lineup)
        await self._read_on(placement, lineup, watched)
        if self._is_automatic(placement.name):
            await self._act(placement, lineup, watched)

    async def _taken_up(self, placement: Placement, lineup: Lineup) -> Watched:
        """The gate as it was saved; a new one of a new trial, or under changed terms."""
        saved = await self._store.trials.gate(placement.name)
        fresh = Gate(self._terms(placement, lineup))
        watched = Watched(lineup.trial, fresh, 0)
        if saved is not None and saved.trial == lineup.trial:
            watched.read_through = saved.read_through
            try:
                watched.gate = fresh.load_state(*model_file.load(saved.data))
            except PolicyError as error:
                # What was read under other terms is no evidence for these: it begins anew.
                reason = f"the gate begins anew behind decision {saved.read_through}: {error}"
                await self._store.trials.save_gate(watched.row(placement.name))
                await self._roster.note(placement, "terms", Because(GATE, reason))
        self._watched[placement.name] = watched
        return watched

    async def _read_on(self, placement: Placement, lineup: Lineup, watched: Watched) -> None:
        wait_us = self._wait_us(placement.name)
        terms, is_all = watched.gate.terms, False
        metrics = tuple(one.name for one in terms.guardrails)
        goes_on = not self._is_automatic(placement.name)
        while not is_all and (goes_on or watched.gate.verdict is Verdict.WAIT):
            asked = Asked(
                placement.name, lineup.trial, watched.read_through, wait_us, self._clock.now_us(),
                metrics,
            )  # fmt: skip
            settled = await self._store.trials.settled(asked)
            is_all = settled.is_all
            if settled.through == watched.read_through:
                break
            gate = watched.gate
            rows = rows_of(settled.rows, terms)
            if len(rows.reward):
                gate = await asyncio.to_thread(gate.after, rows)
            after = Watched(watched.trial, gate, settled.through)
            await self._store.trials.save_gate(after.row(placement.name))
            watched.gate, watched.read_through = gate, settled.through

    async def _act(self, placement: Placement, lineup: Lineup, watched: Watched) -> None:
        verdict, challenger = watched.gate.verdict, lineup.challenger
        if verdict is Verdict.WAIT or challenger is None:
            return
        because = Because(
            GATE, watched.gate.reason, json.dumps(evidence_of(watched.gate)), lineup.trial
        )
        act = self._roster.promote if verdict is Verdict.PROMOTE else self._roster.rollback
        await act(placement.name, challenger.key, because)

    def _terms(self, placement: Placement, lineup: Lineup) -> Terms:
        settings = self._settings[placement.name]
        bounds = reward_bounds(settings)
        if settings.promotion is None or bounds is None:
            raise PolicyError(f"placement {placement.name} has no terms")  # checked at the start
        return settings.promotion.terms(bounds, lineup.share)

    def _is_automatic(self, placement: str) -> bool:
        promotion = self.promotion(placement)
        return promotion is not None and promotion.automatic

    def _wait_us(self, placement: str) -> int:
        promotion = self.promotion(placement)
        return 0 if promotion is None else round(promotion.wait_hours * HOUR_US)


def rows_of(settled: Sequence[SettledRow], terms: Terms) -> Rows:
    """Settled decisions as the gate takes them.

    Values out of a metric's range count as the nearer end. A decision in which the challenger
    failed was the champion's alone, and says nothing of the two.
    """
    said = [np.frombuffer(row.parts)[:2] for row in settled]
    kept = [row for row, parts in zip(settled, said, strict=True) if not np.isnan(parts).any()]
    parts = np.array([np.frombuffer(row.parts)[:2] for row in kept]).reshape(-1, 2)
    metrics = {
        one.name: np.array([row.metrics[i] for row in kept]).clip(one.lowest, one.highest)
        for i, one in enumerate(terms.guardrails)
    }
    reward = np.array([row.reward for row in kept], np.float64)
    return Rows(
        parts[:, 0],
        parts[:, 1],
        np.array([row.probability for row in kept], np.float64),
        reward.clip(terms.reward.lowest, terms.reward.highest),
        metrics,
    )


def evidence_of(gate: Gate) -> dict[str, Any]:
    """The numbers behind a verdict."""
    low, high = gate.advantage.low, gate.advantage.high
    return {
        "verdict": gate.verdict.value,
        "rows": gate.n_rows,
        "advantage": [low, high],
        "level": gate.advantage.level,
        "hurt": list(gate.hurt),
        "log_wealth": gate.log_wealth,
        "needed": gate.needed,
    }
