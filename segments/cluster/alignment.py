"""Gives the clusters of a refit the names of those that they continue.

Clusters are matched one to one so that as many visitors as possible keep their segment's name
(the assignment problem), and what does not match is told apart by where the members come from. A
name goes on only where most of its members do, and most of the new ones come from its sources.

References:
    H. W. Kuhn, "The Hungarian Method for the Assignment Problem", 1955.
    M. Spiliopoulou, I. Ntoutsi, Y. Theodoridis, R. Schult, "MONIC: Modeling and Monitoring Cluster
    Transitions", KDD 2006 (kept, split, merged, born, died).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from segments.cluster.segmentation import N_SLOTS, NO_SLOT, NOISE_ID, Lineage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.segmentation import Change, Segmentation

MIN_JACCARD: Final = 0.2
"""A match of less common members than this share of all members of both is a coincidence."""
MAIN_SHARE: Final = 0.5
"""From where, or to where, "most" members go: at least this share."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the clusters of a fit.

    Args:
        ids: by cluster.
        slots: by cluster.
        lineage: one entry a cluster, and one for each old segment that died.
        next_number: of the next new id.
    """

    ids: tuple[str, ...]
    slots: tuple[int, ...]
    lineage: tuple[Lineage, ...]
    next_number: int


def first_names(n_clusters: int, next_number: int) -> Names:
    """Names for a first fit: s1, s2... in the order of the clusters, all of them born."""
    ids = tuple(f"s{next_number + i}" for i in range(n_clusters))
    lineage = tuple(Lineage(segment_id, "born", (), 0.0) for segment_id in ids)
    slots = tuple(i if i < N_SLOTS else NO_SLOT for i in range(n_clusters))
    return Names(ids, slots, lineage, next_number + n_clusters)


def align(
    old: npt.NDArray[np.intp], new: npt.NDArray[np.intp], n_new: int, previous: Segmentation
) -> Names:
    """Names for the clusters of a refit.

    Args:
        old: index of each visitor's segment under the previous segmentation, -1 for noise,
            shape (n,).
        new: index of each visitor's cluster now, -1 for noise, shape (n,).
        n_new: number of clusters, none of them empty.
        previous: where the old names are from.
    """
    old_ids = [segment.id for segment in previous.segments if segment.id != NOISE_ID]
    crossed = _Crossed.of(old, new, len(old_ids), n_new)
    matches = _matches(crossed)
    ids, next_number = _ids(matches, old_ids, n_new, previous.next_number)
    slots = _slots(ids, {segment.id: segment.slot for segment in previous.segments})
    lineage = [_origin(j, ids, matches, crossed, old_ids) for j in range(n_new)]
    lineage += _deaths(matches, crossed, old_ids)
    return Names(ids, slots, tuple(lineage), next_number)


def carry_on(
    old: npt.NDArray[np.intp], new: npt.NDArray[np.intp], n_new: int, previous: Segmentation
) -> Names:
    """Names where the first clusters are what the segments were, and others came after them.

    Args:
        old: index of each visitor's segment under the previous segmentation, -1 for noise,
            shape (n,).
        new: index of each visitor's cluster now, shape (n,).
        n_new: number of clusters, at least that of the segments.
        previous: where the old names are from.
    """
    old_ids = [segment.id for segment in previous.segments if segment.id != NOISE_ID]
    crossed = _Crossed.of(old, new, len(old_ids), n_new)
    matches = {i: i for i in range(len(old_ids))}
    ids, next_number = _ids(matches, old_ids, n_new, previous.next_number)
    slots = _slots(ids, {segment.id: segment.slot for segment in previous.segments})
    lineage = tuple(_origin(j, ids, matches, crossed, old_ids) for j in range(n_new))
    return Names(ids, slots, lineage, next_number)


@dataclass(frozen=True, slots=True, eq=False)
class _Crossed:
    """Who was where and is where now; noise counts in the sizes and is no segment.

    Args:
        shared: members in common, shape (n_old, n_new).
        old_sizes: shape (n_old,).
        new_sizes: shape (n_new,).
    """

    shared: npt.NDArray[np.float64]
    old_sizes: npt.NDArray[np.float64]
    new_sizes: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, old: npt.NDArray[np.intp], new: npt.NDArray[np.intp], n_old: int, n_new: int
    ) -> _Crossed:
        counts = np.zeros((n_old + 1, n_new + 1))
        np.add.at(counts, (old, new), 1.0)  # -1 is the last row and the last column
        return cls(counts[:-1, :-1], counts[:-1].sum(axis=1), counts[:, :-1].sum(axis=0))


def _matches(crossed: _Crossed) -> dict[int, int]:
    """Old segment by cluster, for pairs that are more than a coincidence."""
    shared = crossed.shared
    union = crossed.old_sizes[:, None] + crossed.new_sizes[None, :] - shared
    rows, columns = linear_sum_assignment(shared, maximize=True)
    near = {
        int(j): int(i)
        for i, j in zip(rows, columns, strict=True)
        if shared[i, j] >= MIN_JACCARD * union[i, j] > 0.0
        and shared[i, j] >= MAIN_SHARE * crossed.old_sizes[i]
    }
    return {j: i for j, i in near.items() if _is_made_of(crossed, j, [i, *_gone(crossed, j, near)])}


def _gone(crossed: _Crossed, j: int, matches: dict[int, int]) -> list[int]:
    """Old segments without a cluster of their own, most of whose members are in this one."""
    stayed = crossed.shared[:, j] / np.maximum(crossed.old_sizes, 1.0)
    held = set(matches.values())
    return [i for i in range(len(stayed)) if i not in held and stayed[i] > MAIN_SHARE]


def _is_made_of(crossed: _Crossed, j: int, sources: list[int]) -> bool:
    """Whether most of a cluster's members come from these: else it is another group."""
    return bool(crossed.shared[sources, j].sum() >= MAIN_SHARE * crossed.new_sizes[j])


def _ids(
    matches: dict[int, int], old_ids: Sequence[str], n_new: int, next_number: int
) -> tuple[tuple[str, ...], int]:
    ids = []
    for j in range(n_new):
        if j in matches:
            ids.append(old_ids[matches[j]])
        else:
            ids.append(f"s{next_number}")
            next_number += 1
    return tuple(ids), next_number


def _slots(ids: Sequence[str], old_slots: dict[str, int]) -> tuple[int, ...]:
    """The old slot of a kept name; for a new one the first that no one held before, if any."""
    held = {name: slot for name, slot in old_slots.items() if slot != NO_SLOT}
    taken = {held[name] for name in ids if name in held}
    free = [slot for slot in range(N_SLOTS) if slot not in taken]
    free.sort(key=lambda slot: (slot in held.values(), slot))
    fresh = iter(free)
    return tuple(held[name] if name in held else next(fresh, NO_SLOT) for name in ids)


def _origin(
    j: int,
    ids: Sequence[str],
    matches: dict[int, int],
    crossed: _Crossed,
    old_ids: Sequence[str],
) -> Lineage:
    if j not in matches:
        from_old = crossed.shared[:, j] / max(crossed.new_sizes[j], 1.0)
        if not len(from_old):  # all was noise before
            return Lineage(ids[j], "born", (), 0.0)
        main = int(from_old.argmax())
        if from_old[main] > MAIN_SHARE:
            return Lineage(ids[j], "split", (old_ids[main],), float(from_old[main]))
        return Lineage(ids[j], "born", (), float(from_old[main]))
    stayed = crossed.shared[:, j] / np.maximum(crossed.old_sizes, 1.0)
    swallowed = _gone(crossed, j, matches)
    sources = (matches[j], *swallowed)
    change: Change = "merged" if swallowed else "kept"
    return Lineage(ids[j], change, tuple(old_ids[i] for i in sources), float(stayed[sources[-1]]))


def _deaths(matches: dict[int, int], crossed: _Crossed, old_ids: Sequence[str]) -> list[Lineage]:
    """Old segments that no cluster continues and none took most of."""
    deaths: list[Lineage] = []
    shared = crossed.shared
    if not shared.shape[1]:  # all is noise now
        return [Lineage(name, "died", (name,), 0.0) for name in old_ids]
    for i, name in enumerate(old_ids):
        went = float(shared[i].max() / max(crossed.old_sizes[i], 1.0))
        into = int(shared[i].argmax())
        swallowed = went > MAIN_SHARE and into in matches
        if i not in matches.values() and not swallowed:
            deaths.append(Lineage(name, "died", (name,), went))
    return deaths
