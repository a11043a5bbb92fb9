"""RESERVE_NOW, CANCEL_RESERVATION and UNLOCK_CONNECTOR, seen from the eMSP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from charging.ocpi import wire
from tests.sandbox.emsp import Emsp, sandbox
from tests.waiting import eventually

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


async def tell(emsp: Emsp, command: str, **fields: Any) -> Any:
    """A command; its synchronous result."""
    body = {"response_url": f"{emsp.url}/result/{command}/1", **fields}
    return (await emsp.call("POST", f"/commands/{command}", json=body)).json()["data"]["result"]


async def reserve(emsp: Emsp, number: int = 7, evse_uid: str = "3256", uid: str = "UID1", seconds: float = 60) -> Any:
    token = emsp.start_body()["token"] | {"uid": uid}
    return await tell(
        emsp,
        "RESERVE_NOW",
        token=token,
        expiry_date=wire.format_datetime(datetime.now(UTC) + timedelta(seconds=seconds)),
        reservation_id=number if emsp.version == "2.1.1" else str(number),
        location_id="LOC1",
        evse_uid=evse_uid,
    )


async def reserved(emsp: Emsp, **fields: Any) -> None:
    """Reserve, and hear that it is done."""
    assert await reserve(emsp, **fields) == "ACCEPTED"
    await emsp.until("result")
    assert emsp.results == ["ACCEPTED"]
    emsp.received.clear()


async def cancel(emsp: Emsp, number: int = 7) -> Any:
    return await tell(emsp, "CANCEL_RESERVATION", reservation_id=str(number))


async def result(emsp: Emsp, number: int = 1) -> str:
    """The asynchronous result number ``number``, awaited."""
    await emsp.until("result", number)
    return emsp.results[number - 1]


async def standings(emsp: Emsp) -> list[str]:
    return [one["standing"] for one in (await emsp.records())["reservations"]]


async def status(emsp: Emsp, evse_uid: str = "3256") -> Any:
    return (await emsp.call("GET", f"/locations/LOC1/{evse_uid}")).json()["data"]["status"]


def other_token(emsp: Emsp) -> dict[str, Any]:
    return {"token": emsp.start_body()["token"] | {"uid": "UID2"}}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_reserved_charger_takes_the_token_that_it_is_held_for_and_no_other(
    tmp_path: Path, version: str
) -> None:
    async with sandbox(tmp_path, version) as emsp:
        await reserved(emsp)
        assert await status(emsp) == "RESERVED"
        assert await emsp.start(reference="X", **other_token(emsp)) == "ACCEPTED"
        assert await result(emsp) == ("REJECTED" if version == "2.1.1" else "EVSE_OCCUPIED")
        assert await emsp.start() == "ACCEPTED"
        await emsp.seen("ACTIVE")
        assert await standings(emsp) == ["USED"]
        assert await status(emsp) == "CHARGING"


async def test_a_start_with_the_reservations_reference_is_let_in_too(emsp: Emsp) -> None:
    token = emsp.start_body()["token"]
    expiry = wire.format_datetime(datetime.now(UTC) + timedelta(minutes=1))
    fields = {"expiry_date": expiry, "reservation_id": "7", "location_id": "LOC1", "evse_uid": "3256"}
    assert await tell(emsp, "RESERVE_NOW", token=token, authorization_reference="REF", **fields) == "ACCEPTED"
    assert await emsp.start(reference="REF", **other_token(emsp)) == "ACCEPTED"
    await emsp.seen("ACTIVE")


async def test_a_reservation_ends_when_it_says_and_survives_a_restart_until_then(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as emsp:
        await reserved(emsp, seconds=1.5)
    async with sandbox(tmp_path) as emsp:
        assert (await standings(emsp), await status(emsp)) == (["HELD"], "RESERVED")

        async def is_free() -> bool:
            return bool(await status(emsp) == "AVAILABLE")

        await eventually(is_free)
        assert await standings(emsp) == ["EXPIRED"]
        assert [m.body["status"] for m in emsp.of("locations")] == ["AVAILABLE"]


async def test_the_same_id_again_moves_a_reservation_and_another_finds_the_charger_taken(emsp: Emsp) -> None:
    await reserved(emsp)
    assert await reserve(emsp, evse_uid="3257") == "ACCEPTED"
    assert await result(emsp) == "ACCEPTED"
    assert (await status(emsp, "3256"), await status(emsp, "3257")) == ("AVAILABLE", "RESERVED")
    assert await reserve(emsp, 8, evse_uid="3257") == "ACCEPTED"
    assert await result(emsp, 2) == "EVSE_OCCUPIED"


async def test_a_cancelled_reservation_holds_nothing_and_cannot_be_cancelled_twice(emsp: Emsp) -> None:
    await reserved(emsp)
    assert await cancel(emsp) == "ACCEPTED"
    assert await result(emsp) == "ACCEPTED"
    assert (await standings(emsp), await status(emsp)) == (["CANCELED"], "AVAILABLE")
    assert await cancel(emsp) == "ACCEPTED"
    assert await result(emsp, 2) == "UNKNOWN_RESERVATION"
    kinds = [(call["kind"], call["result"]) for call in (await emsp.records())["commands"]]
    assert kinds == [
        ("RESERVE_NOW", "ACCEPTED"),
        ("CANCEL_RESERVATION", "ACCEPTED"),
        ("CANCEL_RESERVATION", "UNKNOWN_RESERVATION"),
    ]


async def test_what_cannot_be_reserved_is_refused(emsp: Emsp) -> None:
    assert await reserve(emsp, seconds=-1) == "REJECTED"
    assert await reserve(emsp, evse_uid="3261") == "ACCEPTED"
    assert await result(emsp) == "EVSE_INOPERATIVE"
    await emsp.charging()
    assert await reserve(emsp) == "ACCEPTED"
    assert await result(emsp, 3) == "EVSE_OCCUPIED"
    unknown = {**emsp.start_body("9999"), "expiry_date": "2099-01-01T00:00:00Z", "reservation_id": "1"}
    assert (await emsp.call("POST", "/commands/RESERVE_NOW", json=unknown)).json()["status_code"] == 2003
    assert await standings(emsp) == []


async def test_version_2_1_1_cannot_cancel(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "2.1.1") as emsp:
        assert (await emsp.call("POST", "/commands/CANCEL_RESERVATION", json={})).status_code == 404


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_connector_is_unlocked_unless_a_car_charges_there_which_goes_on(tmp_path: Path, version: str) -> None:
    connector = {"location_id": "LOC1", "evse_uid": "3256", "connector_id": "1"}
    async with sandbox(tmp_path, version) as emsp:
        assert await tell(emsp, "UNLOCK_CONNECTOR", **connector) == "ACCEPTED"
        assert await result(emsp) == "ACCEPTED"
        await emsp.start()
        await emsp.seen("ACTIVE")
        assert await tell(emsp, "UNLOCK_CONNECTOR", **connector) == "ACCEPTED"
        assert await result(emsp, 3) == "REJECTED"
        assert (await emsp.records())["sessions"][0]["status"] == "ACTIVE"


async def test_faults_spoil_these_commands_as_they_do_a_start(emsp: Emsp) -> None:
    await emsp.fault("RESERVE_NOW", "response", result="NOT_SUPPORTED", evse="3256")
    assert await reserve(emsp) == "NOT_SUPPORTED"
    await emsp.fault("RESERVE_NOW", "result", result="TIMEOUT")
    assert await reserve(emsp) == "ACCEPTED"
    assert await result(emsp) == "TIMEOUT"
    assert await standings(emsp) == []
    emsp.received.clear()
    await reserved(emsp)
    await emsp.fault("CANCEL_RESERVATION", "ignored", evse="3256")
    assert await cancel(emsp) == "ACCEPTED"
    assert (await result(emsp), await standings(emsp)) == ("ACCEPTED", ["HELD"])
    await emsp.fault("UNLOCK_CONNECTOR", "http", status=503)
    assert (await emsp.call("POST", "/commands/UNLOCK_CONNECTOR", json={})).status_code == 503


async def test_a_cpo_may_take_a_reservation_back_on_the_url_of_its_reserve_now(emsp: Emsp) -> None:
    await emsp.fault("RESERVE_NOW", "withdrawn", after_s=0.3)
    assert await reserve(emsp) == "ACCEPTED"
    assert [await result(emsp, number) for number in (1, 2)] == ["ACCEPTED", "CANCELED_RESERVATION"]
    assert await standings(emsp) == ["CANCELED"]
