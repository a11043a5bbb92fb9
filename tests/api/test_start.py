"""POST /v1/sessions/start: one session per order, whatever is repeated, raced, or away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from sqlalchemy import select

from charging import names
from charging.session.model import SessionSpec
from charging.store import tables
from tests.api.conftest import RunningApi, new_key
from tests.stack import USER


async def spec_of(api: RunningApi, session_id: str) -> SessionSpec:
    async with api.database.read() as store:
        spec = await store.scalar(select(tables.sessions.c.spec).where(tables.sessions.c.id == session_id))
    return SessionSpec.model_validate(spec)


async def test_a_start_answers_201_with_the_fields_of_the_contract(api: RunningApi) -> None:
    answer = await api.start(connector_type="CCS", battery_target_kwh=60.0)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "session_id": body["session_id"],
        "status": "pending",
        "evse_id": "FI-VRT-E12345",
        "network": "Virta",
    }
    assert answer.headers["Location"] == f"/v1/sessions/{body['session_id']}/status"


async def test_a_start_stores_all_that_the_cpo_will_be_told_before_anything_is_sent(api: RunningApi) -> None:
    session_id = await api.started(battery_target_kwh=60, battery_level_kwh=18.5, job_id="job-7", robot_id="r2")
    spec = await spec_of(api, session_id)
    assert (spec.evse_uid, spec.location_id, spec.need_kwh) == ("3256", "LOC1", pytest.approx(41.5))
    assert (spec.job_id, spec.robot_id) == ("job-7", "r2")
    assert spec.authorization_reference.isalnum()
    assert len(spec.authorization_reference) <= 36
    assert USER not in spec.model_dump_json()
    async with api.database.read() as store:
        token = (await store.execute(select(tables.tokens).where(tables.tokens.c.session_id == session_id))).one()
        command = (await store.execute(select(tables.commands).where(tables.commands.c.session_id == session_id))).one()
    assert len(token.uid) == 20
    assert token.uid.isalnum()
    assert token.uid.isupper() or token.uid.isdigit()
    assert (token.type, token.body["whitelist"], token.body["valid"]) == ("AD_HOC_USER", "NEVER", True)
    assert (command.command, command.state) == ("START_SESSION", "ready")
    assert len(command.id) >= 32


async def test_the_workflow_of_a_started_session_is_on_temporal(api: RunningApi) -> None:
    session_id = await api.started()
    described = await api.temporal.get_workflow_handle(names.charging_session_id(session_id)).describe()
    assert described.workflow_type == names.Workflow.CHARGING_SESSION
    assert await api.count(tables.sessions, id=session_id, admission="accepted") == 1


@pytest.mark.parametrize("spelling", ["FI*VRT*E12345", "FIVRTE12345", "fi-vrt-e12345", "FI VRT E12345"])
async def test_an_evse_id_is_understood_in_any_spelling_and_echoed_as_sent(lite: RunningApi, spelling: str) -> None:
    answer = await lite.start(evse_id=spelling)
    assert answer.status_code == 201
    assert answer.json()["evse_id"] == spelling


@pytest.mark.parametrize("plug", ["CCS", "ccs", "IEC_62196_T2_COMBO", None])
async def test_a_connector_is_named_by_plug_or_ocpi_type_or_not_at_all(lite: RunningApi, plug: str | None) -> None:
    order = {} if plug is None else {"connector_type": plug}
    assert (await lite.start(**order)).status_code == 201


async def test_a_connector_that_the_evse_lacks_is_422_and_lists_those_there_are(lite: RunningApi) -> None:
    answer = await lite.start(connector_type="CHAdeMO")
    assert answer.status_code == 422
    assert answer.json()["code"] == "connector_not_available"
    assert answer.json()["connectors"] == ["CCS"]


async def test_an_unknown_evse_is_404(lite: RunningApi) -> None:
    answer = await lite.start(evse_id="FI-VRT-E99999")
    assert (answer.status_code, answer.json()["code"]) == (404, "evse_not_found")


@pytest.mark.parametrize("status", ["INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED"])
async def test_an_evse_that_is_out_of_service_is_409(lite: RunningApi, status: str) -> None:
    await set_evse_status(lite, status)
    answer = await lite.start()
    assert (answer.status_code, answer.json()["code"]) == (409, "evse_out_of_service")


@pytest.mark.parametrize("status", ["CHARGING", "BLOCKED", "RESERVED", "UNKNOWN", "SOMETHING_NEW"])
async def test_any_other_evse_status_is_tried_since_a_plugged_car_makes_it_unavailable(
    lite: RunningApi, status: str
) -> None:
    await set_evse_status(lite, status)
    assert (await lite.start()).status_code == 201


async def set_evse_status(lite: RunningApi, status: str) -> None:
    async with lite.database.write() as store:
        await store.execute(tables.evses.update().values(status=status))


async def test_max_cost_is_both_hold_and_cost_limit(lite: RunningApi) -> None:
    spec = await spec_of(lite, await lite.started(max_cost=12.5))
    assert (spec.hold, spec.cost_limit) == (12.5, 12.5)


async def test_without_any_wish_the_default_is_held_and_limits_the_cost(lite: RunningApi) -> None:
    spec = await spec_of(lite, await lite.started())
    assert spec.hold == spec.cost_limit == lite.settings.default_hold


@asynccontextmanager
async def priced_in(lite: RunningApi, currency: str) -> AsyncIterator[None]:
    """All tariffs are in this currency meanwhile."""
    of = tables.tariffs
    async with lite.database.write() as store:
        (body,) = (await store.scalars(select(of.c.body))).all()
        await store.execute(of.update().values(body=body | {"currency": currency}))
    try:
        yield
    finally:
        async with lite.database.write() as store:
            await store.execute(of.update().values(body=body))


async def test_the_default_hold_is_money_of_one_currency_and_no_number_for_all(
    lite: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with priced_in(lite, "HUF"):
        refused = await lite.start()
        assert (refused.status_code, refused.json()["code"]) == (422, "max_cost_required")
        assert "HUF" in refused.json()["detail"]
        assert (await spec_of(lite, await lite.started(max_cost=9000))).hold == 9000
    async with priced_in(lite, "SEK"):
        monkeypatch.setattr(lite.settings, "default_holds", {"SEK": Decimal(500)})
        spec = await spec_of(lite, await lite.started(evse_id="FI-VRT-E12346"))
        assert (spec.currency, spec.hold, spec.cost_limit) == ("SEK", 500, 500)


async def test_a_second_session_on_a_claimed_evse_is_409_for_anybody(api: RunningApi) -> None:
    await api.started()
    for sub in (None, "somebody-else"):
        answer = await api.start(sub=sub)
        assert (answer.status_code, answer.json()["code"]) == (409, "evse_busy")


async def test_the_same_key_answers_the_same_session_with_its_present_status(api: RunningApi) -> None:
    key = new_key()
    first = await api.start(key=key, battery_target_kwh=60)
    await api.set(first.json()["session_id"], status="active", admission="running")
    again = await api.start(key=key, battery_target_kwh=60.0)
    assert again.status_code == 201
    assert again.json() == {**first.json(), "status": "active"}
    assert again.headers["Location"] == first.headers["Location"]


async def test_a_repeat_is_answered_even_when_the_evse_has_gone_out_of_service(lite: RunningApi) -> None:
    key = new_key()
    first = await lite.start(key=key)
    await set_evse_status(lite, "REMOVED")
    assert (await lite.start(key=key)).json() == first.json()


async def test_without_a_key_every_start_is_a_fresh_session(lite: RunningApi) -> None:
    first = await lite.started()
    async with lite.database.write() as store:
        await store.execute(tables.evse_claims.delete())
    assert await lite.started() != first


async def test_a_key_of_255_characters_is_kept(lite: RunningApi) -> None:
    assert (await lite.start(key="k" * 255)).status_code == 201
