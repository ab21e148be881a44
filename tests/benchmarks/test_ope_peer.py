"""Our estimates are Open Bandit Pipeline's, and where they are not the table says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.ope import __main__ as bench
from benchmarks.ope.obp_compare import Comparison, Pair, compared, is_installed
from benchmarks.ope.obp_ours import bandit, slates
from benchmarks.ope.peer_tables import obp_table
from benchmarks.report import markdown


def test_a_peer_that_is_not_installed_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "is_installed", lambda: False)
    tables, numbers = bench.obp_part(quick=True, data=Path("nowhere"))
    assert "not installed: make .venv-obp/.obp" in markdown(tables[0])
    assert numbers is None


def test_a_difference_that_nobody_explained_is_said() -> None:
    pairs = (Pair("log", "ips", 1.0, 1.0 + 1e-12, ""), Pair("log", "snips", 1.0, 1.1, ""))
    table = markdown(obp_table(Comparison(pairs, {})))
    assert [pair.is_same for pair in pairs] == [True, False]
    assert "no: UNEXPLAINED" in table


def test_our_side_reads_what_obp_writes() -> None:
    """The columns of its dictionary, with a position; formulas by hand."""
    rng = np.random.default_rng(0)
    n, action, position = 200, rng.integers(0, 4, 200), rng.integers(0, 2, 200)
    target = rng.dirichlet(np.ones(4), (n, 2)).transpose(0, 2, 1)
    expected = rng.random((n, 4, 2))
    reward = rng.random(n)
    log = {
        "n_actions": 4,
        "action": action,
        "position": position,
        "reward": reward,
        "pscore": np.full(n, 0.25),
        "action_dist": target,
        "expected": expected,
    }
    rows = np.arange(n)
    weight = target[rows, action, position] / 0.25
    direct = (target * expected).sum(axis=1)[rows, position]
    found = bandit(log)
    assert found["ips"] == pytest.approx((weight * reward).mean())
    error = reward - expected[rows, action, position]
    assert found["doubly_robust"] == pytest.approx((direct + weight * error).mean())


def test_our_side_puts_slots_in_order() -> None:
    order = np.random.default_rng(1).permutation(30)
    columns = {
        "slate_id": np.repeat(np.arange(10), 3)[order],
        "position": np.tile(np.arange(3), 10)[order],
        "reward": np.tile([1.0, 2.0, 4.0], 10)[order],
    }
    prefix = np.tile([1.0, 2.0, 3.0], 10)[order]
    for name in ("prefix", "own", "joint"):
        columns |= {f"{name}_logging": np.ones(30), f"{name}_target": prefix}
    found = slates(columns)
    assert found["slate_interaction"] == pytest.approx(1.0 + 4.0 + 12.0)
    assert found["slate_ips"] == pytest.approx(3.0 * 7.0)


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="Open Bandit Pipeline: make .venv-obp/.obp")
def test_all_are_the_same_but_what_is_explained() -> None:
    found = compared(Path("nowhere"), quick=True)
    assert len(found.pairs) > 25
    assert all(pair.is_same or pair.why for pair in found.pairs)
