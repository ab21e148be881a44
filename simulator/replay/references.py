"""Policies that need no learning: what a learned one has to be compared with.

Where it stands: reads the outcomes of `Baskets`; the replay client scores the tiles these choose
on the same baskets. Each sees only baskets before the one it chooses for.
"""

import numpy as np
import numpy.typing as npt


def random_hits(outcomes: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Expected hits of a tile drawn uniformly at random: the mean of each row of `outcomes`.

    Args:
        outcomes: What each tile would have earned, shape (n_baskets, n_tiles).

    Returns:
        Shape (n_baskets,).
    """
    return np.asarray(outcomes.mean(axis=1))


def most_popular(outcomes: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The tile that hit most baskets so far, of all households; ties go to the earlier tile.

    Args:
        outcomes: Shape (n_baskets, n_tiles), in time order.

    Returns:
        Index of the tile chosen for each basket, shape (n_baskets,).

    Example:
        >>> most_popular(np.array([[False, True], [True, False], [True, False]])).tolist()
        [0, 1, 0]
    """
    return np.asarray(_counts_before(outcomes).argmax(axis=1))


def own_favourite(
    outcomes: npt.NDArray[np.bool_], households: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The tile that hit most baskets of the same household so far.

    Ties, and a household without history, are decided by what is most popular so far.

    Args:
        outcomes: Shape (n_baskets, n_tiles), in time order.
        households: Household of each basket, shape (n_baskets,).

    Returns:
        Index of the tile chosen for each basket, shape (n_baskets,).
    """
    popularity = _counts_before(outcomes)
    by_household = np.argsort(households, kind="stable")
    sorted_households = households[by_household]
    counts = _counts_before(outcomes[by_household])
    first = np.searchsorted(sorted_households, sorted_households)
    own = np.empty_like(counts)
    own[by_household] = counts - counts[first]
    return np.asarray((own * (len(outcomes) + 1) + popularity).argmax(axis=1))


def hits_of(
    outcomes: npt.NDArray[np.bool_], tiles: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """1 where the basket held the category of the tile chosen for it, else 0."""
    return outcomes[np.arange(len(outcomes)), tiles].astype(np.float64)


def _counts_before(outcomes: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Baskets above each row that hold each tile's category."""
    return np.cumsum(outcomes, axis=0, dtype=np.int64) - outcomes
