"""Means, paired tests and the claims that rest on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bakeoff.headline import checks, duels
from benchmarks.bakeoff.learner import Setting
from benchmarks.bakeoff.one_pass import Pass
from benchmarks.bakeoff.ours import DEFAULT
from benchmarks.bakeoff.ridge import RidgeUCB
from benchmarks.bakeoff.scores import Scores, paired_z_test

N_ROUNDS = 400


def one_pass(setting: str, hits: int, *, set_name: str = "a", seed: int = 0) -> Pass:
    """A pass that was right in its first rounds."""
    rewards = (np.arange(N_ROUNDS) < hits).astype(np.uint8)
    return Pass(setting, set_name, seed, rewards, np.full(N_ROUNDS, 2_000))


def settings(**family_of: str) -> list[Setting]:
    return [Setting(name, family, RidgeUCB) for name, family in family_of.items()]


def test_a_score_is_the_mean_with_its_error_over_seeds() -> None:
    scores = Scores([one_pass("x", hits, seed=seed) for seed, hits in enumerate((100, 200, 300))])
    score = scores.score("x", "a")
    assert (score.reward, score.n_seeds, score.n_rounds) == (0.5, 3, N_ROUNDS)
    assert score.error == pytest.approx(0.25 / np.sqrt(3))
    assert (score.median_us, score.mean_us) == (2.0, 2.0)


def test_one_seed_has_no_error() -> None:
    assert Scores([one_pass("x", 10)]).score("x", "a").error is None


def test_the_average_counts_every_set_the_same() -> None:
    large = Pass("x", "b", 0, np.ones(10_000, np.uint8), np.ones(10_000, np.int64))
    assert Scores([one_pass("x", 0), large]).average("x") == 0.5


def test_the_paired_test_sees_what_two_proportions_would_not() -> None:
    """Ten more hits on the very same rounds: by the unpaired test of .5 against .525, p = .48."""
    scores = Scores([one_pass("x", 210), one_pass("y", 200)])
    compared = scores.compare("x", "y", "a")
    assert compared.difference == pytest.approx(10 / N_ROUNDS)
    assert compared.p < 0.01
    assert compared.verdict == 1
    assert scores.compare("y", "x", "a").verdict == -1


def test_the_level_is_kept_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(0)
    tested = [paired_z_test(rng.choice([-1.0, 0.0, 1.0], 500)).verdict != 0 for _ in range(4_000)]
    assert 0.035 < np.mean(tested) < 0.065


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=60))
def test_swapping_the_two_turns_the_verdict_round(differences: list[float]) -> None:
    there, back = (paired_z_test(sign * np.array(differences)) for sign in (1.0, -1.0))
    assert there.p == back.p
    assert there.verdict == -back.verdict
    assert 0.0 <= there.p <= 1.0


def test_only_seeds_that_both_have_run_are_compared() -> None:
    scores = Scores(
        [one_pass("x", 100, seed=0), one_pass("x", 400, seed=1), one_pass("slow", 90, seed=0)]
    )
    assert scores.compare("x", "slow", "a").difference == pytest.approx(10 / N_ROUNDS)


def test_wins_and_losses_are_counted_over_sets_and_opponents() -> None:
    scores = Scores(
        [
            one_pass("x", 300, set_name="a"),
            one_pass("y", 100, set_name="a"),
            one_pass("z", 100, set_name="a"),
            one_pass("x", 100, set_name="b"),
            one_pass("y", 300, set_name="b"),
            one_pass("z", 100, set_name="b"),
        ]
    )
    balance = {name: scores.wins_minus_losses(name, scores.settings) for name in "xyz"}
    assert balance == {"x": 1, "y": 1, "z": -2}


def test_each_peer_is_met_at_its_best_setting_of_every_set() -> None:
    scores = Scores(
        [
            one_pass(name, hits, set_name=set_name)
            for set_name, row in {
                "a": {DEFAULT: 200, "p1": 210, "p2": 100},
                "b": {DEFAULT: 200, "p1": 100, "p2": 190},
            }.items()
            for name, hits in row.items()
        ]
    )
    met = duels(scores, settings(**{DEFAULT: "ours", "p1": "P", "p2": "P"}))
    assert [(duel.set_name, duel.setting) for duel in met] == [("a", "p1"), ("b", "p2")]
    assert [duel.verdict for duel in met] == [-1, 1]


@pytest.mark.parametrize(
    ("peer", "numpy", "hold"),
    [
        (180, 190, [True, True, True, True]),
        (180, 195, [True, True, True, False]),
        (206, 190, [False, False, True, True]),
        (209, 190, [False, False, False, True]),
    ],
)
def test_the_claims_hold_only_where_they_do(peer: int, numpy: int, hold: list[bool]) -> None:
    scores = Scores([one_pass(DEFAULT, 200), one_pass("p", peer), one_pass("ridge", numpy)])
    known = settings(**{DEFAULT: "ours", "p": "P", "ridge": "numpy"})
    assert [check.holds for check in checks(duels(scores, known))] == hold


def test_nothing_is_claimed_when_our_default_did_not_run() -> None:
    scores = Scores([one_pass("p", 10)])
    assert checks(duels(scores, settings(p="P"))) == []
