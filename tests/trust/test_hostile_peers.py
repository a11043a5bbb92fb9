"""A peer that sends what is another party's (docs/trust.md 2.44)."""

import pytest

from charging.store import tables
from tests.receive import conftest as stage
from tests.receive.conftest import Desk, session_body
from tests.receive.test_cdrs import cdr_body

desk = stage.desk


@pytest.mark.trust("2.44")
@pytest.mark.parametrize(
    ("path", "http_status"), [("sessions/FI/VRT/S1", 404), ("sessions/DE/OTH/S1", 200)], ids=["url", "body"]
)
async def test_another_partys_session_is_refused_without_a_trace(desk: Desk, path: str, http_status: int) -> None:
    spec = await desk.start()
    body = session_body(authorization_reference=spec.authorization_reference, kwh=9)
    answer = await desk.call("PUT", path, body, by="other")
    assert answer.status_code == http_status
    assert answer.json()["status_code"] == 2001
    assert await desk.rows(tables.ocpi_sessions) == []
    assert (await desk.row(spec)).kwh == 0


@pytest.mark.trust("2.44")
async def test_another_peer_cannot_touch_our_session_under_its_own_name(desk: Desk) -> None:
    """The reference leaked: the Session is stored as the other peer's own, and is nobody's."""
    spec = await desk.start()
    stolen = session_body(
        country_code="DE", party_id="OTH", authorization_reference=spec.authorization_reference, kwh=9
    )
    assert (await desk.call("PUT", "sessions/DE/OTH/S1", stolen, by="other")).status_code == 201
    (stored,) = await desk.rows(tables.ocpi_sessions)
    assert stored.session_id is None
    assert (await desk.row(spec)).kwh == 0


@pytest.mark.trust("2.44")
async def test_a_cdr_of_another_party_is_refused_without_a_trace(desk: Desk) -> None:
    spec = await desk.start()
    body = cdr_body(authorization_reference=spec.authorization_reference)
    answer = await desk.call("POST", "cdrs", body, by="other")
    assert answer.json()["status_code"] == 2001
    stolen = await desk.call("POST", "cdrs", body | {"country_code": "DE", "party_id": "OTH"}, by="other")
    assert stolen.json()["status_code"] == 1000
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state) == (None, "quarantined")
    assert await desk.mail(spec) == []
