"""Reads features back in natural units, rounded to what float arithmetic leaves certain."""

from __future__ import annotations

from datetime import timedelta

from segments.features.base import moment, observation
from segments.features.schema import SCHEMA
from tests.segments.strategies import START


def natural(history, day):
    """Every feature of a visitor with this history, so many days after the start."""
    profile = SCHEMA.new_profile()
    for event in history:
        SCHEMA.fold(profile, observation(event))
    vector = SCHEMA.read(profile, moment((START + timedelta(days=day)).timestamp()))
    return {
        reading.name: round(reading.natural(value), 6)
        for reading, value in zip(SCHEMA.readings, vector, strict=True)
    }
