"""The prices out of a range that a store logged, as off-policy evaluation takes them.

Beside `decision_log`, which holds choices among actions.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from api.storage.base import StoreError
from api.storage.decision_log import LARGEST_CHUNK, labels_of, picked, positions
from api.storage.reading import reading
from policy.ope.prices.log import PricedDecisions

_DRAWN = """d.placement = ? AND d.layout IS NOT NULL AND d.density IS NOT NULL
            AND coalesce(d.visitor_group, '') <> 'control'"""
_SELECT = f"""
    SELECT d.seq, d.price_cents, d.density, d.prices, d.context, d.layout, d.visitor,
           coalesce(d.segment, 'none'), d.decided_at_us,
           (SELECT total(r.value) FROM rewards r WHERE r.decision_id = d.decision_id)
    FROM decisions d
    WHERE {_DRAWN} AND json_extract(d.prices, '$[2]') = ? AND d.seq > ? AND EXISTS (
        SELECT 1 FROM rewards r WHERE r.decision_id = d.decision_id AND r.is_first)
    ORDER BY d.seq LIMIT ?"""  # noqa: S608  # a condition of our own


@dataclass
class PriceLog:
    """The log of one placement with a price range: what was drawn, and has earned or closed.

    Args:
        path: The store's file.
        placement: Its name.
        timezone: Of the labels `day`, `weekday` and `hour`.

    Attributes:
        context_names: Of the latest layout; older rows are read in these names, 0 for what they
            lack.
        step: Of the grid that prices were last drawn on, in cents. Rows of another grid are left
            out, and those from before the log held what could have been drawn.
        lowest: Lowest price that any row could have drawn, in cents.
        highest: Highest one.
        n_left_out: Rows that were left out for that.

    Raises:
        StoreError: There is no such store, or no such decision of the placement in it.
    """

    path: Path
    placement: str
    timezone: tzinfo = UTC
    context_names: tuple[str, ...] = field(init=False)
    step: int = field(init=False)
    lowest: int = field(init=False)
    highest: int = field(init=False)
    n_left_out: int = field(init=False)

    def __post_init__(self) -> None:
        with reading(self.path) as connection:
            sql = f"""SELECT d.prices, count(*), max(d.seq), max(d.layout) FROM decisions d
                      WHERE {_DRAWN} GROUP BY d.prices"""  # noqa: S608  # as above
            found = connection.execute(sql, (self.placement,)).fetchall()
            layouts = connection.execute("SELECT layout, names FROM layouts").fetchall()
        ranges = [(json.loads(prices), *rest) for prices, *rest in found if prices is not None]
        if not ranges:
            raise StoreError(
                f"{self.path} has no decision of placement {self.placement!r} whose price was "
                "drawn out of a range that was logged with it"
            )
        self.step = max(ranges, key=lambda one: one[2])[0][2]
        own = [one for one in ranges if one[0][2] == self.step]
        self.lowest = min(prices[0] for prices, *_ in own)
        self.highest = max(prices[1] for prices, *_ in own)
        self.n_left_out = sum(row[1] for row in found) - sum(one[1] for one in own)
        self._layouts = {number: json.loads(names)["context"] for number, names in layouts}
        self.context_names = tuple(self._layouts[max(one[3] for one in own)])

    def chunks(self) -> Iterator[PricedDecisions]:
        """The decisions in the order of the log.

        Raises:
            StoreError: The store cannot be read.
            LogError: A row that cannot be used.
        """
        first_row, seq = 0, 0
        visitors: dict[str, int] = {}
        with reading(self.path) as connection:
            while rows := connection.execute(
                _SELECT, (self.placement, self.step, seq, LARGEST_CHUNK)
            ).fetchall():
                yield self._decisions(rows, visitors, first_row)
                first_row, seq = first_row + len(rows), rows[-1][0]

    def _decisions(
        self, rows: Sequence[tuple[Any, ...]], visitors: dict[str, int], first_row: int
    ) -> PricedDecisions:
        ends = np.array([json.loads(row[3])[:2] for row in rows], np.float64)
        context = np.array(
            [picked(np.frombuffer(row[4], np.float32), self._columns(row[5])) for row in rows],
            np.float64,
        )
        return PricedDecisions(
            np.array([row[1] for row in rows], np.float64),
            np.array([row[2] for row in rows]),
            np.array([row[9] for row in rows]),
            ends[:, 0],
            ends[:, 1],
            self.step,
            context,
            np.array([visitors.setdefault(row[6], len(visitors)) for row in rows], np.int64),
            labels_of([row[7] for row in rows], [row[8] for row in rows], self.timezone),
            first_row=first_row,
        )

    @lru_cache(maxsize=100)  # noqa: B019  # a log lives as long as the command
    def _columns(self, layout: int) -> npt.NDArray[np.int64]:
        return positions(self.context_names, self._layouts[layout])

    def __hash__(self) -> int:
        return id(self)


def draws_prices(path: Path, placement: str) -> bool:
    """Whether the latest choice of a placement was a price out of a range.

    Raises:
        StoreError: The store cannot be read.
    """
    sql = """SELECT density IS NOT NULL FROM decisions WHERE placement = ? AND layout IS NOT NULL
             AND coalesce(visitor_group, '') <> 'control' ORDER BY seq DESC LIMIT 1"""
    with reading(path) as connection:
        row = connection.execute(sql, (placement,)).fetchone()
    return row is not None and bool(row[0])
