"""What operators read, and what a session publishes."""

from decimal import Decimal

from charging.session import rules
from charging.session.details import current_details, publication
from charging.session.messages import StopRequest
from charging.session.model import Phase
from tests.session.factory import T0, active, at, meter, started


def test_an_operator_reads_status_reason_and_what_comes_next() -> None:
    state = started()
    text = current_details(state, T0)
    assert "**pending** · awaiting_cpo" in text
    assert "neither a result nor a Session is here" in text
    assert "start deadline at 2026-03-30 12:03:00 UTC" in text
    assert "`start_sent` START_SESSION to Virta" in text


def test_figures_say_of_when_they_are() -> None:
    state = active()
    rules.session_updated(state, meter(state, kwh="60", updated_at=at(5)), at(5))
    text = current_details(state, at(5))
    assert "60 kWh of 60 kWh (as of 2026-03-30 12:00:05 UTC" in text
    assert "`target_reached`" in text


def test_limits_are_published_until_a_stop_is_wished() -> None:
    state = active()
    watched = publication(state, length=10, n=1)
    assert (watched.wake_kwh, watched.wake_cost, watched.phase) == (Decimal(60), Decimal(50), Phase.CHARGING)
    rules.stop_requested(state, StopRequest(by="user"), at(1))
    silent = publication(state, length=11, n=2)
    assert (silent.wake_kwh, silent.wake_cost) == (None, None)
