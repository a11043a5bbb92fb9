"""Lines that machines read."""

import json
import logging
import sys
from contextvars import copy_context
from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from charging.log_lines import LogFormat, about_session, ask_also, fields, harmless, in_call, line_formatter
from charging.temporal import session_of_task


def line(log_format: LogFormat, session_id: str | None = None, *, failed: bool = False) -> str:
    """What is written about 2 of 3, by a task that is about ``session_id``."""

    def written() -> str:
        if session_id:
            about_session(session_id)
        try:
            raise ValueError("broken")
        except ValueError:
            error = sys.exc_info() if failed else None
        record = logging.LogRecord("charging.inbox", logging.INFO, "", 0, "%s of %s", (2, 3), error)
        return line_formatter(log_format).format(record)

    return copy_context().run(written)


def test_a_line_for_machines_is_one_object_that_names_its_session() -> None:
    told = json.loads(line("json", "s-1"))
    assert told.pop("at").endswith("+00:00")
    assert told == {"level": "INFO", "logger": "charging.inbox", "message": "2 of 3", "session_id": "s-1"}


def test_what_went_wrong_stays_on_its_line() -> None:
    written = line("json", failed=True)
    assert "\n" not in written
    assert "ValueError: broken" in json.loads(written)["error"]


def test_a_line_for_people_ends_with_its_session() -> None:
    assert line("text", "s-1").endswith("INFO charging.inbox 2 of 3 [session s-1]")
    assert line("text").endswith("INFO charging.inbox 2 of 3")


def test_what_an_activity_logs_names_the_session_of_its_workflow() -> None:
    ask_also(session_of_task)
    environment = ActivityEnvironment()
    for workflow_id, session_id in (("settlement/s-1", "s-1"), ("synchronise/c-1", None)):
        environment.info = replace(environment.info, workflow_id=workflow_id)
        written = environment.run(lambda: line("json"))
        assert json.loads(written).get("session_id") == session_id


def test_ids_and_numbers_beside_a_message_stand_in_its_line_and_texts_do_not() -> None:
    record = logging.LogRecord("charging.inbox", logging.WARNING, "", 0, "not delivered yet", (), None)
    record.__dict__ |= {"session_id": "s-1", "inbox_id": 7, "error": "what a\npeer said"}
    assert line_formatter("text").format(record).endswith("not delivered yet session_id=s-1 inbox_id=7")
    told = json.loads(line_formatter("json").format(record))
    assert (told["session_id"], told["inbox_id"], told.get("error")) == ("s-1", 7, None)


def test_what_is_said_of_a_call_stands_in_its_line_with_the_ids_of_the_call() -> None:
    record = logging.LogRecord("charging.ocpi", logging.INFO, "", 0, "called", (), None)
    record.__dict__ |= fields(module="cdrs", http_status=200, failure=None, word="two words")
    with in_call("c-1", "r 1"):
        told, written = json.loads(line_formatter("json").format(record)), line_formatter("text").format(record)
        assert (told["module"], told["http_status"], told["correlation_id"]) == ("cdrs", 200, "c-1")
        assert {"failure", "word", "request_id"}.isdisjoint(told)
        assert written.endswith("called module=cdrs http_status=200 [correlation c-1]")
    assert "correlation_id" not in json.loads(line_formatter("json").format(record))


@pytest.mark.parametrize("text", ["7f3c", "A-1", "0b8a7c6e-1f2d-4e3c-9a5b-6c7d8e9f0a1b", "a" * 64])
def test_an_id_of_the_usual_forms_is_harmless(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("text", [None, "", "a" * 65, "a b", "a\n", "a\nb", "a=b", "a@b", "é", "\u0661", "a_b"])
def test_what_could_be_read_as_something_else_is_not(text: str | None) -> None:
    assert harmless(text) is None
