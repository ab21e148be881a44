import numpy as np
import pytest

from segments.evaluation.separation import separation


def measure(points, labels):
    points, labels = np.asarray(points, float), np.asarray(labels, np.intp)
    return separation(points, labels, np.random.default_rng(0))


def test_groups_far_apart_beat_groups_in_one_heap():
    rng = np.random.default_rng(1)
    labels = np.arange(200) % 2
    heap = rng.normal(0.0, 1.0, (200, 2))
    apart = measure(heap + 20.0 * labels[:, None], labels)
    together = measure(heap, labels)
    assert apart.silhouette > 0.9
    assert together.silhouette < 0.1
    assert apart.davies_bouldin < 0.2 < together.davies_bouldin


def test_noise_counts_as_such_and_not_as_a_group():
    found = measure([[0.0], [0.1], [5.0], [5.1], [99.0]], [0, 0, 1, 1, -1])
    assert found.noise == pytest.approx(0.2)
    assert found.silhouette > 0.9
    assert found.smallest == pytest.approx(0.4)
    assert found.entropy == pytest.approx(1.0)


@pytest.mark.parametrize("labels", [[0, 0, 0], [-1, -1, -1], [0, 1, 2]])
def test_where_distances_say_nothing_there_is_no_score(labels):
    found = measure([[0.0], [1.0], [2.0]], labels)
    assert found.silhouette is None
    assert found.davies_bouldin is None
    assert 0.0 <= found.entropy <= 1.0
