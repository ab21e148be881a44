"""The gate: it may be watched all the time, and promotes or rolls back.

Behind a placement's log of mixed decisions (``policy.mixture``), in front of whoever acts on the
verdict. A fold: rows in, a new gate out, and the old one stays as it was.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import LogError, StateError, shown, suggestion
from policy.ope.intervals.base import Interval
from policy.promotion.contrast import Contrast
from policy.promotion.terms import REWARD, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON
    from policy.ope.log import Array
    from policy.promotion.terms import Rows

KIND, SCHEMA = "promotion-gate", 1


class Verdict(StrEnum):
    """What the rows so far say."""

    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll back"


class Gate:
    """Whether the challenger is promoted, rolled back, or still on trial.

    Promoted when "it earns at most ``margin`` more" is rejected, rolled back when "it earns at most
    ``tolerance`` less" is, or when the same of a guardrail is, which comes first. Each is a bet
    whose wealth reaches 1 / α with probability at most α, at any time, if the hypothesis is true of
    every row given those before: rewards may drift, and it may be looked at after every row. To
    roll back a challenger that was promoted, open a new gate with the roles exchanged.

    Args:
        terms: What has to be shown.

    References:
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro. Anytime-valid Off-policy Inference for
        Contextual Bandits. ACM/IMS Journal of Data Science 2024.

    Example:
        >>> from policy.promotion.terms import Metric, Rows
        >>> rng = np.random.default_rng(0)
        >>> shows_new = rng.random(4_000) < 0.5
        >>> reward = (rng.random(4_000) < np.where(shows_new, 0.4, 0.3)).astype(float)
        >>> rows = Rows(1.0 - shows_new, 1.0 * shows_new, np.full(4_000, 0.5), reward, {})
        >>> gate = Gate(Terms(Metric("sale", 0.0, 1.0), largest_weight=2.0))
        >>> gate.verdict.value, gate.after(rows).verdict.value
        ('wait', 'promote')
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        each = terms.alpha / max(len(terms.guardrails), 1)
        self._contrasts = {
            REWARD: Contrast(terms.reward, terms, terms.margin, terms.alpha),
            **{one.name: Contrast(one, terms, None, each) for one in terms.guardrails},
        }

    def after(self, rows: Rows) -> Gate:
        """The gate after some more rows; this one stays as it is.

        Raises:
            LogError: Rows that the terms do not cover, which names what and the remedy.
        """
        apart = self._apart(rows)
        new = copy.deepcopy(self)
        for name, contrast in new._contrasts.items():
            values = rows.reward if name == REWARD else rows.metrics.get(name)
            if values is None:
                raise LogError(
                    f"guardrail {name} is not in the rows: {suggestion(name, rows.metrics)}"
                )
            if values.shape != apart.shape:
                raise LogError(f"{len(values)} values of {name} for {len(apart)} rows: must agree")
            contrast.update(apart, values)
        return new

    @property
    def n_rows(self) -> int:
        """Rows so far."""
        return self._contrasts[REWARD].n_rows

    @property
    def hurt(self) -> tuple[str, ...]:
        """Names of the guardrails that are hurt."""
        return tuple(
            one.name for one in self.terms.guardrails if self._contrasts[one.name].is_worse
        )

    @property
    def verdict(self) -> Verdict:
        """What to do now."""
        reward = self._contrasts[REWARD]
        if self.hurt or reward.is_worse:
            return Verdict.ROLL_BACK
        return Verdict.PROMOTE if reward.is_better else Verdict.WAIT

    @property
    def advantage(self) -> Interval:
        """What the challenger earns beyond the champion; each bound holds at all times at once.

        To the next of ``STEPS``: the verdict is exact, and may come a little before it shows here.
        """
        low, high = self._contrasts[REWARD].bounds()
        unit = self.terms.reward.range
        return Interval(unit * low, unit * high, 1.0 - 2.0 * self.terms.alpha, "betting")

    @property
    def log_wealth(self) -> dict[str, dict[str, float]]:
        """Most that each metric's bets have won so far, as logarithms of what was staked."""
        return {name: contrast.log_wealth for name, contrast in self._contrasts.items()}

    @property
    def needed(self) -> dict[str, float]:
        """Where they settle it: log(1 / α) of each metric."""
        return {name: -math.log(one.worse.alpha) for name, one in self._contrasts.items()}

    @property
    def reason(self) -> str:
        """The verdict in words, for the audit row."""
        bounds = f"advantage within [{self.advantage.low:.4g}, {self.advantage.high:.4g}]"
        cause = {
            Verdict.WAIT: "neither better nor worse beyond doubt",
            Verdict.PROMOTE: f"earns more than {self.terms.margin:g} beyond the champion",
            Verdict.ROLL_BACK: f"earns over {self.terms.reward.tolerance:g} less than the champion",
        }[self.verdict]
        if self.hurt:
            cause = f"hurts {', '.join(self.hurt)}"
        return f"{self.verdict} after {self.n_rows:,} rows: {cause}; {bounds}"

    def state(self) -> tuple[dict[str, JSON], dict[str, Any]]:
        """Manifest and arrays for ``policy.model_file``."""
        parts: dict[str, JSON] = {}
        arrays: dict[str, Any] = {}
        for number, contrast in enumerate(self._contrasts.values()):
            parts[str(number)], saved = contrast.state(f"bets_{number}")
            arrays |= saved
        return {"kind": KIND, "schema": SCHEMA, "terms": _plain(self.terms), "parts": parts}, arrays

    def load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Any]) -> Gate:
        """The gate of these terms where a state was saved.

        Raises:
            StateError: Of another kind, schema or terms: evidence for one question is none for
                another.
        """
        kind, schema = manifest.get("kind"), manifest.get("schema")
        if (kind, schema) != (KIND, SCHEMA):
            raise StateError(
                f"state is of {shown(kind)}, schema {shown(schema)}: must be of {KIND}, schema "
                f"{SCHEMA}"
            )
        if manifest.get("terms") != _plain(self.terms):
            raise StateError("the gate was saved with other terms: open a new one")
        parts, new = manifest.get("parts"), Gate(self.terms)
        for number, contrast in enumerate(new._contrasts.values()):
            part = parts.get(str(number)) if isinstance(parts, dict) else None
            contrast.load_state(part, arrays, f"bets_{number}")
        return new

    def _apart(self, rows: Rows) -> Array:
        weights = []
        for name in ("champion", "challenger"):
            own = getattr(rows, name)
            if own.shape != rows.propensity.shape:
                raise LogError(
                    f"{len(own)} probabilities of the {name} for {len(rows.propensity)} rows"
                )
            with np.errstate(divide="ignore", invalid="ignore"):
                weight = own / rows.propensity
            wrong = ~((weight >= 0.0) & (weight <= self.terms.largest_weight * (1.0 + 1e-9)))
            if wrong.any():
                row = int(np.argmax(wrong))
                raise LogError(
                    f"row {row} has probability {own[row]} by the {name} and propensity "
                    f"{rows.propensity[row]}: their ratio must be within 0 and the terms' "
                    f"largest_weight of {self.terms.largest_weight}"
                )
            weights.append(weight)
        apart: Array = weights[1] - weights[0]
        return apart


def _plain(terms: Terms) -> dict[str, JSON]:
    plain: dict[str, JSON] = asdict(terms)
    plain["guardrails"] = [asdict(one) for one in terms.guardrails]
    return plain
