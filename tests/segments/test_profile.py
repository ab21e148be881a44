from array import array

import pytest
from hypothesis import given

from segments.errors import ProfileError
from segments.features.base import observation
from segments.features.schema import SCHEMA
from segments.profile import MAX_RECENT, Profile, check, covered_seq, decode, encode
from tests.segments.strategies import histories

MARK = SCHEMA.fingerprint


def folded(history):
    profile = SCHEMA.new_profile()
    for seq, event in enumerate(history):
        SCHEMA.fold(profile, observation(event))
        profile.remember(seq)
        profile.seq = seq
    return profile


@given(histories())
def test_encoding_round_trips_bit_for_bit(history):
    data = encode(folded(history), MARK)
    check(data, MARK)
    assert encode(decode(data), MARK) == data
    assert covered_seq(data) == len(history) - 1


@given(histories(max_size=3))
def test_cut_and_foreign_bytes_are_refused(history):
    data = encode(folded(history), MARK)
    for broken in (b"", data[:5], data[:-1], data + b"x", b"\xff" + data[1:]):
        with pytest.raises(ProfileError, match="replaying the event log"):
            check(broken, MARK)
    with pytest.raises(ProfileError, match="other columns"):
        check(data, MARK ^ 1)


def test_an_id_is_remembered_within_the_bound():
    profile = Profile(array("d"))
    assert all(profile.remember(key) for key in range(MAX_RECENT))
    assert not profile.remember(0)
    assert profile.remember(MAX_RECENT)
    assert profile.remember(0)
    assert len(profile.recent) == MAX_RECENT
