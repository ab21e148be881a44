from array import array

from segments.tally import Tally


def tally(**weights):
    return Tally(
        array("Q", [ord(key) for key in weights]), array("d", [float(w) for w in weights.values()])
    )


def test_weights_add_up():
    counted = tally(a=1)
    counted.add([ord("a"), ord("b")], 2.0, limit=5)
    assert counted.as_dict() == {ord("a"): 3.0, ord("b"): 2.0}


def test_the_lightest_is_let_go_and_of_equals_the_first_to_have_come():
    counted = tally(a=2)
    for key in "bcd":
        counted.add([ord(key)], 1.0, limit=2)
    assert counted.as_dict() == {ord("a"): 2.0, ord("d"): 1.0}


def test_merging_adds_and_keeps_the_bound():
    left, right = tally(a=3, b=1), tally(a=1, c=2)
    left.merge(right, limit=2)
    assert left.as_dict() == {ord("a"): 4.0, ord("c"): 2.0}
