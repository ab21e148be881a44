"""The audit of choices: what it counts, and that a planted fault raises its alarm."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from api.loop import audit as module
from api.loop.audit import N_GROUPS, WINDOW, Audit, PlacementAudit
from api.loop.choice import Choice, default_choice
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from tests.api.loop.test_engine import run, settings

IDS = tuple(f"action-{number}" for number in range(10))


class Ids:
    """Choices, as far as the audit looks."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        self.ids = ids


def choice(rng: np.random.Generator, chosen: int | None = None, ids: Any = IDS) -> Choice:
    expected = rng.normal(0, 1, len(ids))
    weights = np.exp(expected)
    probabilities = weights / weights.sum()
    if chosen is None:
        chosen = int(rng.choice(len(ids), p=probabilities))
    return Choice(Ids(ids), chosen, probabilities, expected, None, None, None)  # type: ignore[arg-type]  # as said


@pytest.fixture(autouse=True)
def every_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ONE_IN", 1)


def test_one_choice_in_so_many_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ONE_IN", 4)
    rng, audit = np.random.default_rng(3), Audit()
    for _ in range(41):
        audit.note("home", choice(rng))
    audit.fold()
    assert sum(audit.placements["home"].kinds.values()) == 10


def test_choices_are_counted_by_kind(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        for number in range(40):
            request = DecisionRequest(visitor=f"v{number}", placement="home", context={})
            await engine.decider.decide(request)
        alone = DecisionRequest(visitor="v", placement="home", context={}, excluded=["tea", "salt"])
        await engine.decider.decide(alone)
        none = alone.model_copy(update={"excluded": ["tea", "salt", "beef"]})
        await engine.decider.decide(none)
        engine.metrics.audit.fold()
        kinds = engine.metrics.audit.placements["home"].kinds
        assert (kinds["single"], kinds["default"]) == (1, 1)
        assert kinds["greedy"] + kinds["explored"] == 40

    run(settings(tmp_path), work)


def test_right_draws_raise_no_alarm_and_sets_of_candidates_may_change() -> None:
    rng = np.random.default_rng(0)
    audited = PlacementAudit("home")
    for _ in range(WINDOW):
        subset = tuple(sorted(rng.choice(IDS, rng.integers(2, 10), replace=False)))
        audited.note(choice(rng, ids=subset))
    audited.fold()
    assert audited.last is not None
    assert audited.last.n >= WINDOW
    assert audited.last.p_value > 1e-4
    assert audited.n_alarms == 0
    assert audited.kinds["explored"] > audited.kinds["greedy"] / 10


def test_greedy_choices_with_the_probabilities_of_draws_raise_the_alarm() -> None:
    rng = np.random.default_rng(1)
    audit = Audit()
    with structlog.testing.capture_logs() as logged:
        for _ in range(WINDOW):
            right = choice(rng)
            audit.note("home", right._replace(chosen=int(right.expected.argmax())))
        audit.fold()
    assert audit.placements["home"].n_alarms == 1
    assert [entry["event"] for entry in logged] == ["propensities_wrong"]


def test_a_service_whose_draws_are_wrong_raises_the_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: probabilities are logged, and the first action is shown."""
    monkeypatch.setattr("api.loop.decide.draw", lambda probabilities, chance: 0)
    monkeypatch.setattr(module, "WINDOW", 400)

    async def work(engine: Engine) -> None:
        for number in range(400):
            asked = DecisionRequest(visitor=f"v{number}", placement="home", context={})
            engine.decider.choose(engine.decider.ask(asked))
        engine.metrics.audit.fold()
        assert engine.metrics.audit.placements["home"].n_alarms == 1

    policy = {"kind": "epsilon_greedy", "epsilon": 0.9}
    run(settings(tmp_path, policy=policy), work)


def test_what_it_remembers_is_bounded() -> None:
    rng = np.random.default_rng(2)
    audited = PlacementAudit("home")
    for number in range(3_000):
        audited.note(choice(rng, ids=(f"a{number}", f"b{number}", "c")))
    audited.note(choice(rng, ids=tuple(f"x{number}" for number in range(2_000))))
    audited.fold()
    assert len(audited._numbers) <= N_GROUPS
    assert len(audited._known) <= module.MOST_SETS
    assert audited.n_alarms == 0


def test_defaults_are_no_draws(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        audited = PlacementAudit("home")
        audited.note(default_choice(engine.placements["home"], "the policy failed"))
        audited.fold()
        assert audited.kinds == {"greedy": 0, "explored": 0, "single": 0, "default": 1}

    run(settings(tmp_path), work)
