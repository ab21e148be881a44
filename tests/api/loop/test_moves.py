"""Moves keep a lineup sound, whatever is asked of it in whichever order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.loop.errors import ConflictError
from api.loop.lineup import Lineup, Model
from api.loop.moves import mixed, promoted, rolled_back, shadowed
from policy.bandits.build import make_policy


def model(name: str) -> Model:
    return Model(name, 1, {"kind": "lints"}, make_policy("lints", 1, 0))


ONE, TWO, THREE = MODELS = tuple(model(name) for name in ("one", "two", "three"))
MOVES = {
    "shadow": shadowed,
    "mix": lambda lineup, model: mixed(lineup, model, 0.3),
    "promote": promoted,
    "rollback": rolled_back,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.sampled_from(range(3))), max_size=12))
def test_whatever_is_done_there_is_one_champion_and_nobody_has_two_roles(
    asked: list[tuple[str, int]],
) -> None:
    lineup = Lineup(ONE)
    for move, number in asked:
        before = lineup
        try:
            lineup = MOVES[move](lineup, MODELS[number])
        except ConflictError:
            continue
        at_work = [lineup.champion, *lineup.shadows]
        at_work += [] if lineup.challenger is None else [lineup.challenger]
        assert len(set(map(id, at_work))) == len(at_work)
        assert lineup.fallback is not lineup.champion
        assert (lineup.challenger is None) == (lineup.share == 0)
        changed = (lineup.champion, lineup.challenger, lineup.share)
        is_same_trial = changed == (before.champion, before.challenger, before.share)
        assert is_same_trial or lineup.trial == 0


def test_a_promotion_out_of_a_mixture_exchanges_the_roles() -> None:
    lineup = promoted(mixed(Lineup(ONE), TWO, 0.2), TWO)
    assert (lineup.champion, lineup.challenger, lineup.share) == (TWO, ONE, 0.2)
    assert lineup.fallback is ONE
    back = promoted(lineup, ONE)
    assert (back.champion, back.challenger, back.fallback) == (ONE, None, None)


def test_a_champion_promoted_from_the_shadow_can_be_rolled_back() -> None:
    lineup = promoted(shadowed(Lineup(ONE), TWO), TWO)
    assert (lineup.champion, lineup.challenger, lineup.fallback) == (TWO, None, ONE)
    assert ONE in lineup.learning
    assert rolled_back(lineup, TWO).champion is ONE


def test_one_trial_at_a_time() -> None:
    lineup = mixed(Lineup(ONE), TWO, 0.2)
    for move in (promoted, lambda lineup, model: mixed(lineup, model, 0.1)):
        with pytest.raises(ConflictError, match="two@1 is on trial"):
            move(lineup, THREE)
    assert mixed(replace(lineup, trial=7), TWO, 0.4).trial == 0
    with pytest.raises(ConflictError, match="there was none before"):
        rolled_back(lineup, ONE)
    with pytest.raises(ConflictError, match="nothing to roll back"):
        rolled_back(lineup, THREE)
