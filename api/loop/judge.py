"""Judge: what a policy would have earned, from what was logged of it while it was at work.

For people, off the decision path. Which entry of a decision's parts is the policy's, the step says
under which the decision was made.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence

import numpy as np

from api.loop.clock import Clock
from api.loop.lineup import Model
from api.loop.placement import Placement
from api.storage.base import Store
from api.storage.trial import Asked, SettledRow, Step
from policy.ope.tally import Tally
from policy.promotion.recorded import Judgement, judged, recorded

ROWS_AT_ONCE = 5_000
MOST_STEPS = 100_000


class Judge:
    """Reads settled decisions.

    Args:
        store: The log.
        clock: Says what is settled.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, placement: Placement, model: Model) -> Judgement:
        """What the log says of a policy, be it shadow, challenger or champion of a trial."""
        places = places_of(await self._store.trials.steps(placement.name, MOST_STEPS), model.key)
        tallies, n_rows = [_tally([], places, 0)], 0
        asked = Asked(
            placement.name, min(places, default=0), 0, 0, self._clock.now_us(), (), ROWS_AT_ONCE
        )
        is_all = not places
        while not is_all:
            settled = await self._store.trials.settled(asked)
            is_all = settled.is_all
            asked = asked._replace(after=settled.through)
            tallies.append(await asyncio.to_thread(_tally, settled.rows, places, n_rows))
            n_rows += tallies[-1].n_rows
        return judged(tallies)


def places_of(steps: Sequence[Step], key: str) -> dict[int, int]:
    """Where in a decision's parts a policy stands, by the step under which it was made."""
    places = {}
    for step in steps:
        lineup = json.loads(step.row.lineup)
        order = [lineup["champion"], lineup["challenger"], *lineup["shadows"]]
        at_work = [name for name in order if name is not None]
        if key in at_work:
            places[step.step] = at_work.index(key)
    return places


def _tally(rows: Sequence[SettledRow], places: Mapping[int, int], first_row: int) -> Tally:
    own, champion, propensity, reward = [], [], [], []
    for row in rows:
        place = places.get(row.lineup)
        if place is None:
            continue
        parts = np.frombuffer(row.parts)
        if not np.isnan(parts[place]):  # where it failed it would have shown nothing
            own.append(parts[place])
            champion.append(parts[0])
            propensity.append(row.probability)
            reward.append(row.reward)
    return recorded(
        np.array(own, np.float64),
        np.array(champion, np.float64),
        np.array(propensity, np.float64),
        np.array(reward, np.float64),
        first_row,
    )
