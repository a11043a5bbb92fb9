"""Sessions that were started with a user's stable token: which start does a CPO's Session or CDR belong to?"""

from datetime import timedelta
from typing import Any

import pytest

from charging.session.model import SessionSpec
from charging.store import tables
from tests.receive.conftest import START, Desk, at, session_body

CARD = {"uid": "CARD1", "type": "APP_USER", "contract_id": "FI-RBT-C1"}


async def start(desk: Desk, **columns: Any) -> SessionSpec:
    """A session that was started with the user's stable token at EVSE 3256."""
    stable = {"token_uid": "CARD1", "token_type": "APP_USER"}
    return await desk.start(**{"evse_uid": "3256", **stable, **columns})


async def matched(desk: Desk, ocpi_id: str = "S1") -> str | None:
    (row,) = await desk.rows(tables.ocpi_sessions, id=ocpi_id)
    found: str | None = row.session_id
    return found


async def test_the_reference_tells_sessions_of_one_token_apart(desk: Desk) -> None:
    one = await start(desk)
    await start(desk, evse_uid="3257", created_at=START + timedelta(minutes=1))
    await desk.put(session_body(cdr_token=CARD, authorization_reference=one.authorization_reference.lower()))
    assert await matched(desk) == one.session_id


async def test_without_a_reference_it_is_the_newest_open_start_at_that_evse(desk: Desk) -> None:
    over = await start(desk, closed_at=START)
    await free(desk, over)
    here = await start(desk)
    await start(desk, evse_uid="3257", created_at=START + timedelta(minutes=1))
    await desk.put(session_body(cdr_token={**CARD, "uid": "card1"}, start_date_time=at(1)))
    assert await matched(desk) == here.session_id


@pytest.mark.parametrize(
    "fields",
    [
        {"evse_uid": "9999"},
        {"location_id": "LOC9"},
        {"authorization_reference": "ANOTHER"},
        {"start_date_time": at(-60)},
    ],
)
async def test_the_users_card_elsewhere_or_earlier_is_no_start_of_ours(desk: Desk, fields: dict[str, Any]) -> None:
    await start(desk)
    await desk.put(session_body(cdr_token=CARD, **fields))
    assert await matched(desk) is None


async def test_a_second_session_of_the_token_is_not_the_one_that_has_its_session(desk: Desk) -> None:
    spec = await start(desk)
    await desk.put(session_body(cdr_token=CARD))
    await desk.put(session_body(id="S2", cdr_token=CARD))
    assert (await matched(desk), await matched(desk, "S2")) == (spec.session_id, None)


async def test_a_cdr_without_any_key_bills_the_last_start_with_its_token_at_its_evse(desk: Desk) -> None:
    before = await start(desk)
    await free(desk, before)
    last = await start(desk, created_at=START + timedelta(hours=1))
    await free(desk, last)
    await start(desk, created_at=START + timedelta(hours=3))
    session = session_body(id="S9", cdr_token=CARD, start_date_time=at(61))
    cdr = {**desk.cpo.cdr(session), "end_date_time": at(90)}
    del cdr["session_id"]
    assert (await desk.call("POST", "cdrs", cdr)).json()["status_code"] == 1000
    (row,) = await desk.rows(tables.cdrs)
    assert row.session_id == last.session_id


@pytest.mark.parametrize("whose", ["its own", "another's"])
async def test_a_cdr_with_the_id_of_a_session_bills_it_only_with_its_token(desk: Desk, whose: str) -> None:
    """Some CPOs of 2.1.1 give a CDR its Session's id, others number both from 1 on."""
    other = await start(desk, token_uid="CARD2", evse_uid="3257")
    await desk.put(session_body(authorization_reference=other.authorization_reference))
    mine = await start(desk)
    token = {**CARD, "uid": "CARD2"} if whose == "its own" else CARD
    cdr = {**desk.cpo.cdr(session_body(id="S9", cdr_token=token, start_date_time=at(1))), "id": "S1"}
    await desk.call("POST", "cdrs", {name: value for name, value in cdr.items() if name != "session_id"})
    (row,) = await desk.rows(tables.cdrs)
    assert row.session_id == (other if whose == "its own" else mine).session_id


@pytest.mark.parametrize("begins", [1, 30, None])
async def test_a_211_cdr_bills_the_session_that_began_then_with_its_contract_at_its_evse(
    desk: Desk, begins: int | None
) -> None:
    """OCPI 2.1.1 names neither Session nor uid, only the contract; some CPOs leave out the EVSE, too."""
    spec = await start(desk, token_contract="FI-RBT-C1")
    await start(desk, evse_uid="3257", token_contract="FI-RBT-C1")
    contract = {"uid": "fi-rbt-c1", "contract_id": "fi-rbt-c1"}
    await desk.put(session_body(id="S9", cdr_token=contract, start_date_time=at(1)))
    assert await matched(desk, "S9") == spec.session_id
    cdr = cdr_211(desk, contract, at(1 if begins is None else begins))
    if begins is None:
        cdr["cdr_location"] = {**cdr["cdr_location"], "evse_uid": "#NA"}
    for cdr_id in ("C1", "C2"):  # the same again under another id is for people to look at: nobody pays it
        assert (await desk.call("POST", "cdrs", {**cdr, "id": cdr_id})).json()["status_code"] == 1000
    billed = {row.id: row.session_id for row in await desk.rows(tables.cdrs)}
    assert billed == {"C1": spec.session_id if begins == 1 else None, "C2": None}


def cdr_211(desk: Desk, token: dict[str, Any], begins: str) -> dict[str, Any]:
    """A CDR as one of 2.1.1 reads: nothing in it but the token, the place and the time says which session it bills."""
    cdr = {**desk.cpo.cdr(session_body(id="S9", cdr_token=token, start_date_time=begins)), "end_date_time": at(90)}
    return {name: value for name, value in cdr.items() if name not in ("session_id", "authorization_reference")}


async def free(desk: Desk, spec: SessionSpec) -> None:
    """The EVSE may be claimed by the next one."""
    async with desk.database.write() as store:
        claims = tables.evse_claims
        await store.execute(claims.delete().where(claims.c.session_id == spec.session_id))
