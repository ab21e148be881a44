"""Where the blocks are: growth, gathering, and what unknown actions read."""

from __future__ import annotations

import numpy as np

from policy.bandits.action_blocks import ActionBlocks

PRIOR = np.arange(6.0).reshape(3, 2)
X = np.array([1.0, -2.0])


def marked(n: int) -> ActionBlocks:
    """Action i's block is full of i."""
    blocks = ActionBlocks(PRIOR)
    for i in range(n):
        blocks[blocks.slots_for([f"a{i}"])[0]][:] = i
    return blocks


def test_growing_keeps_every_block() -> None:
    blocks = marked(100)
    assert blocks.action_ids == tuple(f"a{i}" for i in range(100))
    assert blocks.copy_learned()[:, 0, 0].tolist() == list(range(100))


def test_candidates_get_their_own_products_in_any_selection() -> None:
    """Few of many are gathered first, many are picked afterwards."""
    blocks = marked(100)
    for ids in (("a97", "a3", "new", "a40"), tuple(f"a{i}" for i in range(99, -1, -1))):
        expected = [
            (PRIOR[:2] if name == "new" else np.full((2, 2), float(name[1:]))) @ X for name in ids
        ]
        assert blocks.products(X, ids, 2).tolist() == np.array(expected).tolist()


def test_asking_does_not_make_an_action_known() -> None:
    blocks = marked(1)
    blocks.products(X, ("a0", "asked"), 3)
    assert "asked" not in blocks
    assert "a0" in blocks


def test_candidates_asked_before_are_looked_up_again_when_one_becomes_known() -> None:
    blocks, ids = marked(1), ("a0", "late")
    assert blocks.products(X, ids, 1).tolist() == [[0.0], [-2.0]]
    blocks[blocks.slots_for(["late"])[0]][:] = 5.0
    assert blocks.products(X, ids, 1).tolist() == [[0.0], [-5.0]]


def test_replacing_forgets_what_was_there() -> None:
    blocks = marked(9)
    blocks.products(X, ("a1", "b"), 1)
    blocks.replace_learned(["b"], np.full((1, 3, 2), 7.0))
    assert blocks.action_ids == ("b",)
    assert blocks.products(X, ("a1", "b"), 1).tolist() == [[-2.0], [-7.0]]
    assert blocks.slots_for(["c", "b"]) == [2, 1]
    assert blocks[2].tolist() == PRIOR.tolist()
