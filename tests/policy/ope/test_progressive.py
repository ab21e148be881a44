"""Learning curves judge each row before it is learned, on any log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from policy.bandits.build import make_policy
from policy.errors import EvaluationError
from policy.ope.progressive import LARGEST_BLOCK, LOGGED, learning_curves
from policy.ope.slices import rows_of
from tests.policy.ope.logs import world

if TYPE_CHECKING:
    from policy.base import Policy

WORLD = world(4_000, seed=3)


def learner() -> Policy:
    return make_policy("softmax", WORLD.log.context.shape[1], 0, temperature=0.05)


def test_the_logs_own_curve_is_what_it_earned() -> None:
    chunks = [rows_of(WORLD.log, start, start + 700) for start in range(0, 4_000, 700)]
    seen: list[int] = []
    curves = learning_curves(lambda: chunks, {}, n_points=8, on_rows=seen.append)
    assert [point.n_rows for point in curves[LOGGED]] == list(range(500, 4_001, 500))
    for i, point in enumerate(curves[LOGGED]):
        stretch = WORLD.log.reward[500 * i : 500 * (i + 1)]
        assert point.value == pytest.approx(stretch.mean())
        assert point.so_far == pytest.approx(WORLD.log.reward[: point.n_rows].mean())
        assert point.interval.holds(point.value)
    assert sum(seen) == 4_000


def test_no_row_is_judged_by_what_was_learned_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, learned_at = learner(), list[int]()
    kind = type(policy)
    decide = kind._decide

    def watched(self: Policy, *arguments: Any) -> Any:
        learned_at.append(self.n_updates)
        return decide(self, *arguments)

    monkeypatch.setattr(kind, "_decide", watched)
    learning_curves(lambda: [rows_of(WORLD.log, 0, 1_000)], {"it": policy}, n_points=3)
    assert len(learned_at) == 1_000
    for row, learned in enumerate(learned_at):
        assert learned <= row < learned + LARGEST_BLOCK
    assert policy.n_updates == 1_000


def test_what_learns_comes_to_earn_more_than_what_wrote_the_log() -> None:
    curves = learning_curves(lambda: [WORLD.log], {"it": learner()}, n_points=4)
    best = WORLD.means.max(axis=1)[3_000:].mean()
    last = curves["it"][-1]
    assert last.value > curves[LOGGED][-1].value
    assert last.value == pytest.approx(best, abs=3 * (last.interval.high - last.value))
    assert curves["it"][0].value < last.value


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(EvaluationError, match="the log's own curve"):
        learning_curves(lambda: [WORLD.log], {LOGGED: learner()})
    with pytest.raises(EvaluationError, match="no rows"):
        learning_curves(list, {})
    few = learning_curves(lambda: [rows_of(WORLD.log, 0, 3)], {"it": learner()}, n_points=20)
    assert [point.n_rows for point in few["it"]] == [1, 2, 3]
