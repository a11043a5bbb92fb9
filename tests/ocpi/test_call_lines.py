"""What the log says of each OCPI call: enough that a CPO's engineers find it in theirs, and no word of a stranger."""

import io
import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from charging.errors import PeerRefused
from charging.log_lines import line_formatter
from charging.logs import RedactingFormatter
from charging.ocpi.client import CpoClient
from charging.ocpi.transport import Transport
from charging.ocpi.wire import Party
from charging.store.connections import Connection
from tests.ocpi.conftest import on_sqlite
from tests.peer import ScriptedCpo, answer, refuse

US = Party("FI", "RBT")
LINES = "charging.ocpi.call_lines"


class Log:
    """The log of this process as machines read it."""

    def __init__(self) -> None:
        self._written = io.StringIO()
        self.handler = logging.StreamHandler(self._written)
        self.handler.setFormatter(RedactingFormatter(line_formatter("json")))

    @property
    def text(self) -> str:
        """All of it."""
        return self._written.getvalue()

    def lines(self, logger: str = LINES) -> list[dict[str, Any]]:
        """What one logger has said."""
        return [line for line in map(json.loads, self.text.splitlines()) if line["logger"] == logger]

    def line(self, logger: str = LINES) -> dict[str, Any]:
        """The last of them."""
        return self.lines(logger)[-1]


@pytest.fixture
def log() -> Iterator[Log]:
    """At DEBUG, as ``CHARGING_LOG_LEVEL`` has it: our own code only."""
    log, ours = Log(), logging.getLogger("charging")
    before = ours.level
    ours.setLevel(logging.DEBUG)
    ours.addHandler(log.handler)
    yield log
    ours.removeHandler(log.handler)
    ours.setLevel(before)


@on_sqlite
async def test_a_call_of_ours_is_a_line_with_the_ids_that_the_cpo_has_seen(
    log: Log, friend: Connection, cpo: ScriptedCpo
) -> None:
    transport = Transport(timeout_s=10, allow_private=True)
    client = CpoClient(transport, friend, US)
    cpo.on("sessions", answer([]), refuse(2001))
    assert (await client.page("sessions")).objects == []
    line = log.line()
    assert line.pop("at")
    assert line.pop("duration_ms") >= 0
    headers = cpo.received("sessions")[-1].headers
    assert line == {
        "level": "INFO",
        "logger": LINES,
        "message": "called a CPO",
        "module": "sessions",
        "connection_id": friend.id,
        "method": "GET",
        "http_status": 200,
        "ocpi_status": 1000,
        "correlation_id": headers["x-correlation-id"],
        "request_id": headers["x-request-id"],
    }
    with pytest.raises(PeerRefused):
        await client.page("sessions")
    assert (log.line()["ocpi_status"], log.line()["failure"]) == (2001, "PeerRefused")
    await transport.aclose()


@on_sqlite
async def test_a_push_that_went_well_is_a_line_at_debug_and_one_that_was_refused_at_info(
    log: Log, friend: Connection, cpo: ScriptedCpo
) -> None:
    ids = {"X-Correlation-ID": str(uuid.uuid4()), "X-Request-ID": "r-1"}
    await cpo.call("GET", "tariffs/FI/VRT/T1", headers=ids)
    well = log.line()
    assert (well["level"], well["module"], well["http_status"], well["ocpi_status"]) == ("DEBUG", "tariffs", 200, 1000)
    assert (well["correlation_id"], well["request_id"]) == tuple(ids.values())
    assert well["connection_id"] == friend.id
    await cpo.call("PUT", "tariffs/FI/VRT/T1", {"id": 1}, headers=ids)
    refused = log.line()
    assert (refused["level"], refused["method"], refused["ocpi_status"]) == ("INFO", "PUT", 2001)
    odd = log.line("charging.store.odd")
    assert (odd["level"], odd["correlation_id"]) == ("WARNING", ids["X-Correlation-ID"])


@on_sqlite
async def test_an_id_that_could_be_anything_else_is_in_no_line(log: Log, friend: Connection, cpo: ScriptedCpo) -> None:
    for hostile in ("ada@example.com", "4111 1111", 'x", "level": "ERROR', "[session 1]", "a=b", "\x1b[31m", ""):
        await cpo.call("GET", "tariffs/FI/VRT/T1", headers={"X-Correlation-ID": hostile, "X-Request-ID": hostile})
        assert {"correlation_id", "request_id"}.isdisjoint(log.line()), hostile
    for long in ("a" * 65, "a1" * 25, "4111111111111111"):
        await cpo.call("GET", "tariffs/FI/VRT/T1", headers={"X-Correlation-ID": long})
        assert long not in log.text
    await cpo.call("GET", f"{cpo.emsp_url}/ocpi/versions", headers={"Authorization": "Token no%0done"})
    stranger = log.line()
    assert (stranger["module"], stranger["http_status"]) == ("versions", 401)
    assert "connection_id" not in stranger
