"""Long polls share what their user may look at the store."""

from contextlib import ExitStack

from api.waits import LOOKS_PER_S, Waits


def test_who_waits_alone_looks_as_often_as_asked() -> None:
    waits = Waits()
    with waits.one_of("robot"):
        assert waits.pause_s("robot", 0.1) == 0.1


def test_however_many_requests_of_a_user_wait_they_look_no_more_often_than_that_and_slow_nobody_else() -> None:
    waits = Waits()
    with ExitStack() as open_requests:
        for _ in range(12_000):
            open_requests.enter_context(waits.one_of("fleet"))
        open_requests.enter_context(waits.one_of("robot"))
        assert 12_000 / waits.pause_s("fleet", 0.1) == LOOKS_PER_S
        assert waits.pause_s("robot", 0.1) == 0.1
    assert waits.pause_s("fleet", 0.1) == 0.1
