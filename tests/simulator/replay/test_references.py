from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulator.replay.references import hits_of, most_popular, own_favourite, random_hits

N_TILES = 4
worlds = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        arrays(np.bool_, (n, N_TILES)), arrays(np.int64, n, elements=st.integers(0, 3))
    )
)


def slow_popular(outcomes: npt.NDArray[np.bool_]) -> list[int]:
    popularity = Counter[int]()
    chosen = []
    for row in outcomes:
        chosen.append(max(range(N_TILES), key=lambda tile: popularity[tile]))
        popularity.update(np.flatnonzero(row).tolist())
    return chosen


def slow_favourite(outcomes: npt.NDArray[np.bool_], households: npt.NDArray[np.int64]) -> list[int]:
    popularity = Counter[int]()
    own = {int(household): Counter[int]() for household in households}
    chosen = []
    for row, household in zip(outcomes, households.tolist(), strict=True):
        mine = own[household]
        chosen.append(max(range(N_TILES), key=lambda tile: (mine[tile], popularity[tile])))
        popularity.update(np.flatnonzero(row).tolist())
        mine.update(np.flatnonzero(row).tolist())
    return chosen


@given(worlds)
def test_most_popular_equals_the_straightforward_version(
    world: tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]],
) -> None:
    assert most_popular(world[0]).tolist() == slow_popular(world[0])


@given(worlds)
def test_own_favourite_equals_the_straightforward_version(
    world: tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]],
) -> None:
    assert own_favourite(*world).tolist() == slow_favourite(*world)


def test_hits_are_read_from_the_outcomes() -> None:
    outcomes = np.array([[True, False], [True, True]])
    assert hits_of(outcomes, np.array([1, 1])).tolist() == [0.0, 1.0]
    assert random_hits(outcomes).tolist() == [0.5, 1.0]
