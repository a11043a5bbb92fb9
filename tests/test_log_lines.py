"""Lines that machines read."""

import json
import logging
import sys
from contextvars import copy_context
from dataclasses import replace

from temporalio.testing import ActivityEnvironment

from charging.log_lines import LogFormat, about_session, ask_also, line_formatter
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
