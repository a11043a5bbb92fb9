"""When a peer is left alone, and for how long."""

from datetime import UTC, datetime, timedelta
from functools import reduce

from charging.ocpi.breaker import FAILURES, LONGEST_PAUSE, LONGEST_RETRY_AFTER, PAUSE, Breaker, BreakerState

NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


def failing(times: int, breaker: Breaker | None = None) -> Breaker:
    return reduce(lambda b, _: b.failed(NOW, is_probe=False, jitter=0), range(times), breaker or Breaker())


def probed(breaker: Breaker, *, jitter: float = 0) -> Breaker:
    """After a probe that failed."""
    return breaker.began().failed(NOW, is_probe=True, jitter=jitter)


def test_a_few_failures_change_nothing() -> None:
    assert failing(FAILURES - 1).admits(NOW)
    assert failing(FAILURES - 1).succeeded() == Breaker()


def test_failures_in_a_row_open_it() -> None:
    breaker = failing(FAILURES)
    assert (breaker.state, breaker.retry_at) == (BreakerState.OPEN, NOW + PAUSE)
    assert not breaker.admits(NOW + PAUSE - timedelta(microseconds=1))
    assert breaker.admits(NOW + PAUSE)


def test_one_probe_goes_out_alone_and_its_success_closes_it() -> None:
    probing = failing(FAILURES).began()
    assert not probing.admits(NOW + timedelta(days=1))
    assert probing.succeeded() == Breaker()


def test_each_probe_that_fails_doubles_the_pause_up_to_a_limit() -> None:
    breaker = failing(FAILURES)
    pauses = []
    for _ in range(20):
        breaker = probed(breaker)
        assert breaker.retry_at is not None
        pauses.append(breaker.retry_at - NOW)
    assert pauses[:3] == [PAUSE * 2, PAUSE * 4, PAUSE * 8]
    assert pauses[-1] == LONGEST_PAUSE


def test_jitter_stretches_the_pause_by_up_to_a_half() -> None:
    assert probed(failing(FAILURES), jitter=1).retry_at == NOW + PAUSE * 3


def test_a_probe_that_was_cancelled_makes_room_for_the_next() -> None:
    assert failing(FAILURES).began().given_up().admits(NOW + PAUSE)


def test_what_fails_beside_the_probe_decides_nothing() -> None:
    opened = failing(FAILURES)
    assert failing(3, opened).retry_at == opened.retry_at
    assert failing(3, opened.began()).state is BreakerState.PROBING


def test_a_peer_that_asks_for_time_gets_it_up_to_a_limit() -> None:
    asked = Breaker().told_to_wait(NOW, timedelta(seconds=30))
    assert (asked.admits(NOW + timedelta(seconds=29)), asked.admits(NOW + timedelta(seconds=30))) == (False, True)
    assert Breaker().told_to_wait(NOW, timedelta(days=9)).retry_at == NOW + LONGEST_RETRY_AFTER
    assert Breaker().told_to_wait(NOW, timedelta(seconds=-5)).admits(NOW)
