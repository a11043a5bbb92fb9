"""A peer that sends what is another party's (docs/trust.md 2.44)."""

import pytest

from charging.store import tables
from tests.receive.conftest import Desk
from tests.receive.test_cdrs import cdr_body


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
