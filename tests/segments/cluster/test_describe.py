import numpy as np
import pytest

from segments.cluster.describe import describe_clusters, mean_value_cents
from segments.features.schema import SCHEMA

READINGS = {reading.name: reading for reading in SCHEMA.readings}


def column(name, *natural):
    return [READINGS[name].scaled(x) for x in natural]


def test_what_sets_clusters_apart_is_said_in_natural_units():
    recency = column("recency_days", *[2.0] * 20, *[40.0] * 20)
    noise = np.random.default_rng(0).normal(size=40)
    vectors = np.column_stack([noise, recency]).astype(np.float32)
    labels = np.repeat([0, 1], 20)
    words = describe_clusters(
        vectors, ["discount_share", "recency_days"], labels, np.array([False, False])
    )
    assert words == ["last purchase under 10 days ago", "no purchase in the last 10 days"]


def test_at_most_three_conditions_and_none_on_ignored_features():
    vectors = np.random.default_rng(1).random((300, 6)).astype(np.float32)
    labels = (vectors[:, :3].sum(axis=1) * 2).astype(int)
    names = [*SCHEMA.feature_names[3:8], "known"]
    for words in describe_clusters(vectors, names, labels, np.array([False] * 5 + [True])):
        assert 1 <= words.count(", ") + 1 <= 3
        assert "known" not in words


def test_one_cluster_is_everyone():
    assert describe_clusters(
        np.ones((3, 1), np.float32), ["orders"], np.zeros(3, int), np.array([False])
    ) == ["all visitors"]


def test_value_is_the_mean_of_natural_revenue():
    vectors = np.array([column("revenue_cents", 100.0, 300.0, 0.0)], np.float32).T
    values = mean_value_cents(vectors, ["revenue_cents"], np.array([0, 0, 1]))
    assert values == [pytest.approx(200.0, rel=1e-4), pytest.approx(0.0, abs=1e-4)]
    assert mean_value_cents(vectors, ["orders"], np.array([0, 0, 1])) == [None, None]
