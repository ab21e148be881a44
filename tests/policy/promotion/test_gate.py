"""The gate promotes what is better, rolls back what is worse, and is rarely wrong at any look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policy.errors import LogError, StateError
from policy.model_file import dump, load
from policy.promotion.gate import Gate, Verdict
from policy.promotion.terms import Metric, Terms
from tests.policy.promotion.trials import SALE, part_of, rows_of, terms_of

RETURNS = Metric("returns", 0.0, 1.0, tolerance=0.02, higher_is_better=False)


def test_an_equal_challenger_is_promoted_or_rolled_back_with_at_most_alpha_each() -> None:
    rng = np.random.default_rng(1)
    promoted = rolled_back = 0
    for _ in range(100):
        gate = Gate(terms_of(0.2))
        for _ in range(20):
            gate = gate.after(rows_of(rng, 100, share=0.2))
        promoted += gate.verdict is Verdict.PROMOTE
        rolled_back += gate.verdict is Verdict.ROLL_BACK
    assert promoted <= 5
    assert rolled_back <= 5


def test_rewards_that_drift_promote_no_equal_challenger() -> None:
    rng = np.random.default_rng(2)
    promoted = 0
    for _ in range(60):
        gate = Gate(terms_of())
        for rate in np.linspace(0.1, 0.9, 20):
            gate = gate.after(rows_of(rng, 100, champion=rate, challenger=rate))
        promoted += gate.verdict is Verdict.PROMOTE
    assert promoted <= 3


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_better_and_worse_are_told_and_stay_told(share: float) -> None:
    rng = np.random.default_rng(3)
    better = Gate(terms_of(share)).after(rows_of(rng, 20_000, challenger=0.4, share=share))
    worse = Gate(terms_of(share)).after(rows_of(rng, 20_000, challenger=0.2, share=share))
    assert better.verdict is Verdict.PROMOTE
    assert worse.verdict is Verdict.ROLL_BACK
    assert 0.0 < better.advantage.low < 0.1 < better.advantage.high
    assert worse.advantage.low < -0.1 < worse.advantage.high < 0.0
    later = better.after(rows_of(rng, 2_000, challenger=0.25, share=share))
    assert later.verdict is Verdict.PROMOTE
    assert "earns more than 0 beyond the champion" in later.reason


def test_what_is_better_by_less_than_the_margin_waits() -> None:
    rows = rows_of(np.random.default_rng(4), 40_000, challenger=0.34)
    assert Gate(terms_of()).after(rows).verdict is Verdict.PROMOTE
    assert Gate(terms_of(0.5, 0.05)).after(rows).verdict is Verdict.WAIT


def test_a_hurt_guardrail_comes_before_what_is_earned() -> None:
    rng = np.random.default_rng(5)
    rows = rows_of(rng, 20_000, challenger=0.4, returns=(0.05, 0.15))
    gate = Gate(terms_of(0.5, 0.0, RETURNS)).after(rows)
    assert gate.hurt == ("returns",)
    assert gate.verdict is Verdict.ROLL_BACK
    assert "hurts returns" in gate.reason
    same = rows_of(rng, 20_000, challenger=0.4, returns=(0.05, 0.06))
    assert Gate(terms_of(0.5, 0.0, RETURNS)).after(same).verdict is Verdict.PROMOTE


def test_rows_leave_the_gate_before_them_as_it_was() -> None:
    rng = np.random.default_rng(6)
    first = Gate(terms_of()).after(rows_of(rng, 500))
    _, before = first.state()
    first.after(rows_of(rng, 500, challenger=0.9))
    _, now = first.state()
    assert first.n_rows == 500
    assert all((before[name] == now[name]).all() for name in before)


def test_a_saved_gate_goes_on_bit_for_bit() -> None:
    rng = np.random.default_rng(7)
    terms = terms_of(0.3, 0.0, RETURNS)
    rows = rows_of(rng, 3_000, challenger=0.33, share=0.3, returns=(0.1, 0.1))
    half = Gate(terms).after(part_of(rows, 0, 1_700))
    restored = Gate(terms).load_state(*load(dump(*half.state())))
    whole, again = (gate.after(part_of(rows, 1_700, 3_000)) for gate in (half, restored))
    assert dump(*whole.state()) == dump(*again.state())


def test_chunks_give_the_evidence_of_the_whole() -> None:
    rows = rows_of(np.random.default_rng(8), 5_000, challenger=0.45)
    gate = Gate(terms_of())
    for start in range(0, 5_000, 617):
        gate = gate.after(part_of(rows, start, min(start + 617, 5_000)))
    whole = Gate(terms_of()).after(rows)
    assert gate.verdict is whole.verdict is Verdict.PROMOTE
    assert gate.n_rows == whole.n_rows == 5_000


def test_a_state_of_another_question_is_refused() -> None:
    manifest, arrays = Gate(terms_of()).state()
    with pytest.raises(StateError, match="other terms"):
        Gate(terms_of(0.5, 0.01)).load_state(manifest, arrays)
    with pytest.raises(StateError, match="must be of promotion-gate"):
        Gate(terms_of()).load_state(manifest | {"kind": "linucb"}, arrays)
    with pytest.raises(StateError, match="other values"):
        Gate(terms_of()).load_state(manifest, {})
    with pytest.raises(StateError, match="lacks its part"):
        Gate(terms_of()).load_state(manifest | {"parts": None}, arrays)


def test_rows_that_the_terms_do_not_cover_are_refused() -> None:
    rows, gate = rows_of(np.random.default_rng(9), 10), Gate(terms_of())
    zero = rows.propensity.copy()
    zero[3] = 0.0
    with pytest.raises(LogError, match=r"row 3 .* propensity 0\.0"):
        gate.after(replace(rows, propensity=zero))
    with pytest.raises(LogError, match=r"largest_weight of 2\.0"):
        gate.after(replace(rows, propensity=rows.propensity / 4.0))
    with pytest.raises(LogError, match="sale from"):
        gate.after(replace(rows, reward=rows.reward * 2.0 + 1.0))
    with pytest.raises(LogError, match="guardrail returns is not in the rows"):
        Gate(terms_of(0.5, 0.0, RETURNS)).after(rows)
    with pytest.raises(LogError, match="9 values of reward for 10 rows"):
        gate.after(replace(rows, reward=rows.reward[:9]))
    with pytest.raises(LogError, match="9 probabilities of the champion"):
        gate.after(replace(rows, champion=rows.champion[:9]))


def test_no_rows_say_nothing() -> None:
    gate = Gate(Terms(SALE, 2.0)).after(rows_of(np.random.default_rng(10), 0))
    assert gate.verdict is Verdict.WAIT
    assert (gate.advantage.low, gate.advantage.high) == (-1.0, 1.0)
