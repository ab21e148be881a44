import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from segments.cluster.family import Cohort
from segments.cluster.kmeans import KMeans
from segments.evaluation.stability import (
    adjusted_rand_index,
    best_jaccard,
    bootstrap_stability,
)

labellings = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 3)), min_size=1, max_size=40
).map(lambda pairs: np.array(pairs, np.intp).T)


@given(labellings)
def test_the_adjusted_rand_index_is_that_of_scikit_learn(pair):
    assert adjusted_rand_index(*pair) == pytest.approx(adjusted_rand_score(*pair), abs=1e-9)


@given(labellings, st.permutations(range(-1, 4)))
def test_names_do_not_matter(pair, names):
    renamed = np.array(names, np.intp)[pair[0] + 1]
    assert adjusted_rand_index(renamed, pair[0]) == 1.0


def test_jaccard_of_a_segment_that_lost_half_its_members_is_a_half():
    labels, again = np.array([0, 0, 1, 1, 1, 1, -1]), np.array([1, 1, 0, 0, -1, 2, 2])
    assert best_jaccard(labels, again, 3).tolist() == [1.0, 0.5, 0.0]


def blobs(apart, n=300):
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [apart, 0.0], [0.0, apart]])
    rows = centres[np.arange(n) % 3] + rng.normal(0.0, 0.1, (n, 2))
    return Cohort(rows.astype(np.float32), ("orders", "revenue_cents"))


def test_groups_that_are_there_are_stable_and_groups_cut_out_of_one_are_not():
    rng = np.random.default_rng(0)
    solid, shaky = (
        bootstrap_stability(KMeans(k), cohort, KMeans(k).fit(cohort, None, rng), rng, n_draws=5)
        for k, cohort in ((3, blobs(1.0)), (5, blobs(0.0)))
    )
    assert solid.ari_mean > 0.98
    assert min(solid.jaccard) > 0.98
    assert len(shaky.jaccard) == 5
    assert shaky.ari_min <= shaky.ari_mean < 0.8
