"""Time never runs backwards, whatever the machine or a request says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.loop.clock import ReplayClock, SystemClock, from_us, make_clock, to_us


def test_microseconds_round_trip_in_utc() -> None:
    moment = datetime(2026, 11, 23, 8, 0, 0, 123457, tzinfo=UTC)
    assert from_us(to_us(moment)) == moment
    assert to_us(moment.astimezone(timezone(timedelta(hours=9)))) == to_us(moment)


def test_the_system_clock_holds_when_the_machine_steps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    for reading, expected in ((5_000_000, 5_000), (4_000_000, 5_000), (6_000_000, 6_000)):
        monkeypatch.setattr("time.time_ns", lambda reading=reading: reading)
        assert clock.now_us() == expected


def test_only_the_replay_clock_listens_to_requests() -> None:
    replay, system = make_clock("replay"), make_clock("system")
    assert isinstance(replay, ReplayClock)
    for us in (10, 30, 20):
        replay.advance(us)
        system.advance(us)
    assert replay.now_us() == 30
    assert system.now_us() > 10**15
