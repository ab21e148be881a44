"""Time never runs backwards, whatever the machine or a request says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.loop.clock import ReplayClock, SystemClock, from_us, make_clock, to_us


def test_microseconds_round_trip_in_utc() -> None:
    moment = datetime(2026, 11, 23, 8, 0, 0, 123457, tzinfo=UTC)
    assert from_us(to_us(moment)) == moment
    assert to_us(moment.astimezone(timezone(timedelta(hours=9)))) == to_us(moment)


def test_after_a_step_back_the_clock_goes_at_half_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    for wall_us, ticks_us, now_us in (
        (5_000, 0, 5_000),
        (4_000, 0, 5_000),
        (4_100, 100, 5_050),
        (4_700, 700, 5_350),
        (6_000, 2_000, 6_000),
    ):
        monkeypatch.setattr("time.time_ns", lambda us=wall_us: us * 1000)
        monkeypatch.setattr("time.monotonic_ns", lambda us=ticks_us: us * 1000)
        assert (clock.now_us(), clock.wall_us()) == (now_us, wall_us)


def test_only_the_replay_clock_listens_to_requests() -> None:
    replay, system = make_clock("replay"), make_clock("system")
    assert isinstance(replay, ReplayClock)
    for us in (10, 30, 20):
        replay.advance(us)
        system.advance(us)
    assert replay.now_us() == 30
    assert system.now_us() > 10**15
