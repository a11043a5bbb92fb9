"""When a silent CPO is asked, and for what: pure rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from charging.session.model import CpoStatus, Status
from charging.session.polling import Question, Watched, ask_at, date_from, questions
from tests.session.factory import T0

LIVE = Watched("s", "c", Status.ACTIVE, CpoStatus.ACTIVE, "S1", created_at=T0)
ENDED = replace(LIVE, status=Status.STOPPING, cpo_status=CpoStatus.COMPLETED, cpo_ended_at=T0)
MINUTES_5 = timedelta(minutes=5)
MINUTES_30 = timedelta(minutes=30)
DAYS_35 = timedelta(days=35)


def asked(session: Watched, after: timedelta = timedelta()) -> set[Question]:
    return questions(session, T0 + after, DAYS_35)


def test_a_live_session_is_asked_for_every_silence() -> None:
    assert asked(LIVE) == {Question.SESSIONS}
    assert ask_at(LIVE, T0, MINUTES_5) == T0 + MINUTES_5


def test_a_stopping_session_may_have_ended_unseen() -> None:
    assert asked(replace(LIVE, status=Status.STOPPING)) == {Question.SESSIONS, Question.CDRS}


def test_after_the_end_its_cdr_is_asked_for_ever_more_rarely() -> None:
    assert asked(ENDED) == {Question.CDRS}
    now, waits = T0, []
    for _ in range(14):
        later = ask_at(ENDED, now, MINUTES_5)
        waits.append(later - now)
        now = later
    assert waits[:4] == [MINUTES_5, MINUTES_5, 2 * MINUTES_5, 4 * MINUTES_5]
    assert waits[-1] == timedelta(days=1)


def test_a_cdr_is_asked_for_as_long_as_it_may_come() -> None:
    assert asked(ENDED, timedelta(days=34)) == {Question.CDRS}
    assert asked(ENDED, DAYS_35) == set()
    assert asked(replace(ENDED, is_billed=True)) == set()


def test_an_invalid_session_is_not_billed() -> None:
    assert asked(replace(LIVE, status=Status.FAILED, cpo_status=CpoStatus.INVALID)) == set()


def test_a_tombstone_is_watched_until_it_ends() -> None:
    buried = replace(
        LIVE, status=Status.FAILED, cpo_status=None, watch_until=T0 + timedelta(days=1), ended_at=T0 - MINUTES_5
    )
    assert asked(buried) == {Question.SESSIONS}
    assert asked(buried, timedelta(days=1)) == set()
    assert ask_at(buried, T0 + timedelta(hours=9), MINUTES_5) == T0 + timedelta(hours=10)


def test_a_failed_session_that_charges_is_watched_without_end() -> None:
    assert asked(replace(LIVE, status=Status.FAILED), timedelta(days=9)) == {Question.SESSIONS}


def test_lists_overlap_with_what_is_known() -> None:
    """In the CPO's clock where it has been heard, else in ours."""
    half_an_hour = timedelta(minutes=30)
    later = T0 + timedelta(hours=9)
    assert date_from(LIVE, Question.SESSIONS, later) == T0 - half_an_hour
    heard = replace(LIVE, heard_at=T0 + timedelta(hours=3))
    assert date_from(heard, Question.SESSIONS, later) == T0 + timedelta(hours=3) - half_an_hour
    assert date_from(replace(heard, cpo_ended_at=T0), Question.CDRS, later) == T0 - half_an_hour


def test_a_list_is_never_asked_for_from_a_moment_to_come() -> None:
    """A time stamp in the far future would hide all that the CPO says until then."""
    ahead = replace(LIVE, heard_at=T0 + timedelta(days=400), cpo_ended_at=T0 + timedelta(days=400))
    for question in Question:
        assert date_from(ahead, question, T0) == T0 - timedelta(minutes=30)


NEVER_SET = (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def test_a_date_that_was_never_set_is_no_date() -> None:
    for moment in NEVER_SET:
        odd = replace(ENDED, cpo_ended_at=moment, heard_at=moment)
        assert asked(odd, timedelta(days=34)) == {Question.CDRS}
        assert asked(odd, DAYS_35) == set()
        assert ask_at(odd, T0, MINUTES_5) == T0 + MINUTES_5
        for question in Question:
            assert T0 - MINUTES_30 <= date_from(odd, question, T0 + MINUTES_30) <= T0
