from segments.hashing import hash64, value_hash, value_hashes


def test_hashes_never_change():
    # Stored profiles are full of them: another value here makes every one of those unreadable.
    assert hash64("Tea") == 14_754_689_574_422_568_303


def test_a_tuple_hashes_as_its_values():
    assert value_hashes(("Tea", "Salt")) == (value_hash("Tea"), value_hash("Salt"))
    assert value_hash("Tea") == hash64("Tea")
