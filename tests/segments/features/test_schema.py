import pytest

from segments.features.base import Column, Feature, Reading
from segments.features.schema import SCHEMA, Schema


def family(column_name, reading_name):
    class Some(Feature):
        columns = (Column(column_name, "sum", None, lambda _: 1.0),)
        readings = (Reading(reading_name),)

        def read(self, own, profile, at):
            return own

    return Some()


def test_two_different_columns_or_readings_of_one_name_are_refused():
    for names in (("same", "other"), ("other", "same")):
        with pytest.raises(ValueError, match="name of its own"):
            Schema((family("same", "same"), family(*names)))


def test_families_share_a_column_that_they_both_declare():
    assert [c.name for c in SCHEMA.columns].count("orders") == 1


def test_the_fingerprint_tells_layouts_apart():
    assert Schema((family("a", "x"),)).fingerprint != Schema((family("b", "x"),)).fingerprint
    assert Schema((family("a", "x"),)).fingerprint == Schema((family("a", "y"),)).fingerprint
