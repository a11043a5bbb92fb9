"""CDRs over OCPI: each stored once, byte for byte, and matched to the session that it bills."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from charging.ocpi import wire
from charging.store import tables
from tests.receive.conftest import START, Body, Desk, at, period, session_body

LOCATION = {"id": "LOC1", "address": "Street 1", "city": "Helsinki", "country": "FIN"}


def cdr_body(**fields: Any) -> Body:
    """A CDR of FI/VRT for Session S1."""
    return {
        "country_code": "FI",
        "party_id": "VRT",
        "id": "CDR1",
        "start_date_time": at(0),
        "end_date_time": at(60),
        "session_id": "S1",
        "cdr_token": {"uid": "SOMEBODYELSE", "type": "RFID", "contract_id": "FI-RBT-C00000001-X"},
        "auth_method": "COMMAND",
        "cdr_location": LOCATION,
        "currency": "EUR",
        "charging_periods": [period(0, ENERGY=10.5)],
        "total_cost": {"excl_vat": 5.25, "incl_vat": 6.51},
        "total_energy": 10.5,
        "total_time": 1,
        "last_updated": at(61),
    } | fields


async def test_a_cdr_is_kept_byte_for_byte_and_can_be_fetched(desk: Desk) -> None:
    raw = b'  {"x_first": 1.10,\n' + wire.dumps(cdr_body())[1:]
    answer = await desk.call("POST", "cdrs", raw)
    assert (answer.status_code, answer.json()["status_code"]) == (201, 1000)
    (stored,) = await desk.rows(tables.cdrs)
    assert stored.raw.encode() == raw
    location = answer.headers["Location"]
    assert location == f"http://emsp.example/ocpi/emsp/2.2.1/cdrs/{stored.public_id}"
    fetched = await desk.call("GET", location.removeprefix("http://emsp.example"))
    assert fetched.json()["data"] == {"x_first": 1.1, **cdr_body()}
    assert (await desk.call("GET", location.removeprefix("http://emsp.example"), by="other")).status_code == 404


@pytest.mark.parametrize("key", ["reference", "token", "session"])
async def test_a_cdr_finds_its_session(desk: Desk, key: str) -> None:
    spec = await desk.start(poll_at=START)
    body = cdr_body()
    if key == "reference":
        body["authorization_reference"] = spec.authorization_reference.lower()
    elif key == "token":
        body["cdr_token"] = {"uid": await desk.token_uid(spec)}
    else:
        await desk.put(session_body(authorization_reference=spec.authorization_reference))
    await desk.call("POST", "cdrs", body)
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state) == (spec.session_id, "received")
    assert (await desk.mail(spec))[-1] == "cdr"
    assert (await desk.row(spec)).poll_at is None


async def test_a_rejected_cdr_stays_rejected_when_its_session_turns_up(desk: Desk) -> None:
    spec = await desk.start()
    await desk.call("POST", "cdrs", cdr_body())
    async with desk.database.write() as store:
        await store.execute(update(tables.cdrs).values(state="rejected", dispute="rejected"))
    await desk.put(session_body(authorization_reference=spec.authorization_reference))
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state, stored.dispute) == (spec.session_id, "rejected", "rejected")


@pytest.mark.parametrize("first", ["session", "cdr"])
async def test_the_bill_of_a_second_session_is_for_people_and_ends_nothing(desk: Desk, first: str) -> None:
    """Found by chaos: the second Session was stopped and billed first, and the first one charged on for ever."""
    spec = await desk.start()
    reference = {"authorization_reference": spec.authorization_reference}
    await desk.put(session_body(**reference))
    keys = reference if first == "session" else {}
    sent = [desk.put(session_body(id="S2", **reference)), desk.call("POST", "cdrs", cdr_body(session_id="S2", **keys))]
    for each in sent if first == "session" else reversed(sent):
        await each
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state, stored.dispute) == (None, "quarantined", "open")
    assert "cdr" not in await desk.mail(spec)


async def test_a_credit_cdr_finds_the_session_of_the_one_that_it_takes_back(desk: Desk) -> None:
    spec = await desk.start()
    await desk.call("POST", "cdrs", cdr_body(authorization_reference=spec.authorization_reference))
    credit = cdr_body(id="CDR1-C", session_id=None, credit=True, credit_reference_id="cdr1")
    await desk.call("POST", "cdrs", credit)
    (stored,) = await desk.rows(tables.cdrs, id="CDR1-C")
    assert (stored.session_id, stored.state) == (spec.session_id, "received")


async def test_a_cdr_without_a_session_is_quarantined_and_acknowledged(desk: Desk) -> None:
    answer = await desk.call("POST", "cdrs", cdr_body())
    assert answer.json()["status_code"] == 1000
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state, stored.problem) == (None, "quarantined", "unmatched")
    assert await desk.rows(tables.inbox) == []


async def test_the_same_cdr_again_has_the_same_location(desk: Desk) -> None:
    """Whatever the case of its id and the order of its fields."""
    spec = await desk.start()
    body = cdr_body(authorization_reference=spec.authorization_reference)
    first = await desk.call("POST", "cdrs", body)
    again = await desk.call("POST", "cdrs", wire.dumps(dict(reversed(body.items()))))
    assert (again.status_code, again.json()["status_code"]) == (200, 1000)
    assert again.headers["Location"] == first.headers["Location"]
    assert len(await desk.rows(tables.cdrs)) == 1
    assert await desk.mail(spec) == ["cdr"]


async def test_another_cdr_under_the_same_id_is_refused_and_the_first_one_stays(desk: Desk) -> None:
    spec = await desk.start()
    first = cdr_body(authorization_reference=spec.authorization_reference)
    await desk.call("POST", "cdrs", first)
    answer = await desk.call("POST", "cdrs", first | {"id": "cdr1", "total_cost": {"excl_vat": 99}})
    assert (answer.status_code, answer.json()["status_code"]) == (200, 2001)
    (stored,) = await desk.rows(tables.cdrs)
    assert stored.body["total_cost"]["incl_vat"] == wire.decimal("6.51")
    assert await desk.events(spec) == [("cdr_differs", {"cdr_id": "cdr1"})]
    assert await desk.mail(spec) == ["cdr"]


async def test_one_cdr_sent_many_times_at_once_is_stored_once(desk: Desk) -> None:
    spec = await desk.start()
    body = cdr_body(authorization_reference=spec.authorization_reference)
    answers = await asyncio.gather(*(desk.call("POST", "cdrs", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert await desk.mail(spec) == ["cdr"]


async def test_a_cdr_that_nobody_could_settle_is_kept_whole_and_refused(desk: Desk) -> None:
    broken = cdr_body(total_cost=None)
    for raw, http_status in ((b"{", 400), (b"[]", 200), (wire.dumps(broken), 200), (b"{}", 200)):
        answer = await desk.call("POST", "cdrs", raw)
        assert (answer.status_code, answer.json()["status_code"]) == (http_status, 2001)
    assert await desk.rows(tables.cdrs) == []
    odd = await desk.rows(tables.odd_messages)
    assert "total_cost" in odd[2].problem
    assert odd[2].body.encode() == wire.dumps(broken)


@pytest.mark.parametrize("again", ["session", "cdr"])
async def test_a_cdr_that_came_before_its_session_is_matched_in_the_end(desk: Desk, again: str) -> None:
    spec = await desk.start(poll_at=START)
    await desk.call("POST", "cdrs", cdr_body(session_id="s1"))
    assert (await desk.rows(tables.cdrs))[0].state == "quarantined"
    if again == "session":
        await desk.put(session_body(authorization_reference=spec.authorization_reference))
    else:  # as if the Session had been stored at the same moment, unseen
        await desk.put(session_body())
        (row,) = await desk.rows(tables.ocpi_sessions)
        async with desk.database.write() as store:
            named = update(tables.ocpi_sessions).where(tables.ocpi_sessions.c.id == row.id)
            await store.execute(named.values(session_id=spec.session_id))
        await desk.receiver.cdr_object(desk.virta, cdr_body(session_id="s1"))
    (stored,) = await desk.rows(tables.cdrs)
    assert (stored.session_id, stored.state, stored.problem) == (spec.session_id, "received", None)
    assert "cdr" in await desk.mail(spec)
    assert (await desk.row(spec)).poll_at is None
