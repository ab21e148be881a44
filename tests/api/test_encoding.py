"""Compressed bodies are unpacked to a bound."""

import gzip
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.encoding import decoded
from api.problems import Problem
from tests.api.service import problem_of

BATCH = {"batch": [{"type": "page", "anonymousId": "zip"}]}
ZIPPED = gzip.compress(json.dumps(BATCH).encode())


def posted(service: httpx.Client, body: bytes, coding: str) -> httpx.Response:
    return service.post("/v1/batch", content=body, headers={"content-encoding": coding})


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
def test_a_gzipped_body_is_taken(service: httpx.Client, coding: str) -> None:
    assert posted(service, ZIPPED, coding).json()["accepted"] == 1


@pytest.mark.parametrize("coding", ["deflate", "br", "gzip, gzip", "x" * 5_000])
def test_any_other_coding_is_a_415(service: httpx.Client, coding: str) -> None:
    assert "must be gzip" in problem_of(posted(service, ZIPPED, coding), 415)["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", ZIPPED[:-1], ZIPPED + b"x", ZIPPED + ZIPPED, ZIPPED[:9] + b"\xff" * 20]
)
def test_what_is_not_gzip_is_a_400(service: httpx.Client, body: bytes) -> None:
    assert problem_of(posted(service, body, "gzip"), 400)["type"].endswith("malformed-gzip")


def test_a_bomb_is_a_413_before_it_goes_off(service: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < 200_000
    problem_of(posted(service, bomb, "gzip"), 413)


@given(st.binary(max_size=500), st.integers(0, 500))
def test_it_is_unpacked_up_to_the_bound_and_not_beyond(body: bytes, max_bytes: int) -> None:
    if len(body) <= max_bytes:
        assert decoded(gzip.compress(body), b"gzip", max_bytes) == body
    else:
        with pytest.raises(Problem, match="413"):
            decoded(gzip.compress(body), b"gzip", max_bytes)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body: bytes) -> None:
    try:
        decoded(body, b"gzip", 1_000)
    except Problem as problem:
        assert problem.status == 400  # noqa: PT017  # the other outcome is fine as well
