"""Consent: a channel is open to who granted it, and never to who refused it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.action import CHANNELS
from policy.catalog.consent import Consent
from policy.errors import CatalogError

words = st.none() | st.booleans()


@pytest.mark.parametrize("unknown", [False, True])
@given(st.sampled_from(CHANNELS), words, words)
def test_a_refusal_counts_and_silence_is_what_the_setting_says(unknown, channel, own, purpose):
    consent = Consent(dict.fromkeys(CHANNELS, "marketing"), unknown)
    said = {channel: own, "marketing": purpose}
    open_ = consent.permits(channel, said.get)
    if False in (own, purpose):
        assert not open_
    elif True in (own, purpose):
        assert open_
    else:
        assert open_ == (unknown or channel == "onsite")


def test_without_a_purpose_the_channels_name_is_its_purpose():
    assert Consent().permits("push", {"push": True}.get)
    assert not Consent().permits("push", {"email": True}.get)


def test_a_purpose_of_an_unknown_channel_is_refused():
    with pytest.raises(CatalogError, match=r"channel 'e-mail' .* did you mean 'email'\?"):
        Consent({"e-mail": "marketing"})
