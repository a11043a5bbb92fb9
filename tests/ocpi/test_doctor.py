"""What peers violate is counted, cheaply, and shown to the admin with counts (``charging cpo doctor``)."""

from typing import Any

from charging.ocpi import wire
from charging.ocpi.doctor import PER_SECOND, Doctor
from charging.store.connections import Connection
from charging.store.findings import FindingStore
from tests.ocpi.conftest import Emsp
from tests.peer import ScriptedCpo, answer, evse, location
from tests.receive.conftest import session_body
from tests.session.factory import T0


async def rules(emsp: Emsp) -> dict[str, dict[str, Any]]:
    diagnosis = (await emsp.admin("GET", "connections/virta/findings")).json()
    return {finding["rule"]: finding for finding in diagnosis["findings"]}


async def test_a_peer_without_fault_has_no_findings(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    headers = {"Content-Type": "application/json"}
    await cpo.call("PUT", "locations/FI/VRT/LOC1", location(), headers=headers)
    diagnosis = (await emsp.admin("GET", "connections/virta/findings")).json()
    assert (diagnosis["examined"], diagnosis["findings"]) == (1, [])


async def test_what_a_peer_sends_is_counted_by_rule_and_module(
    emsp: Emsp, friend: Connection, cpo: ScriptedCpo
) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Token {cpo.emsp_token}"}
    plug = {**evse()["connectors"][0], "standard": "GBT_9"}
    for uid in ("1", "2"):
        body = evse(uid=uid, evse_id=f"FI*VRT*E{uid}", connectors=[plug], last_updated="2026-02-01T00:00:00")
        await cpo.call("PUT", f"locations/FI/VRT/LOC1/{uid}", body, headers=headers)
    found = await rules(emsp)
    assert found.keys() == {"token_not_base64", "unknown_value", "datetime_without_z"}
    unknown = found["unknown_value"]
    assert (unknown["messages"], unknown["examined"], unknown["module"]) == (2, 2, "locations")
    assert (unknown["example"], unknown["section"]) == ("Evse.connectors[].standard", "§8.3.2")
    assert found["datetime_without_z"]["level"] == "advice"


async def test_what_a_peer_answers_is_counted(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    session = session_body(currency=None, total_cost=2)
    cpo.on("sessions", answer([session], headers={"X-Request-ID": "another"}))
    client = emsp.services.peers.of(friend)
    assert [body["id"] async for body in client.sessions(T0)] == ["S1"]
    found = await rules(emsp)
    assert found.keys() == {
        "request_id_not_echoed",
        "missing_field",
        "wrong_type",
        "authorization_reference_missing",
    }
    assert {found[rule]["module"] for rule in found} == {"sessions"}


async def test_an_answer_that_is_none_of_ocpi_is_counted_too(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    cpo.on("sessions", answer(raw=b"[]"))
    client = emsp.services.peers.of(friend)
    assert [body async for body in client.sessions(T0)] == []
    assert (await rules(emsp))["no_envelope"]["words"].startswith("Answer every request")


async def test_a_stranger_is_not_looked_at(emsp: Emsp, friend: Connection, cpo: ScriptedCpo) -> None:
    await cpo.call("PUT", "locations/FI/VRT/LOC1", b"junk", headers={"Authorization": "Token x"})
    assert (await emsp.admin("GET", "connections/virta/findings")).json()["examined"] == 0
    assert (await emsp.admin("GET", "connections/nobody/findings")).status_code == 404


async def test_a_flood_is_sampled_and_what_was_counted_survives_the_process(
    emsp: Emsp, friend: Connection, cpo: ScriptedCpo
) -> None:
    store = FindingStore(emsp.services.database)
    doctor = Doctor(store)
    taken = [doctor.wants(friend.id, "sessions", 100) for _ in range(4 * PER_SECOND)]
    assert PER_SECOND <= sum(taken) <= 2 * PER_SECOND  # a second may have turned
    for _ in range(3):
        await cpo.call("PUT", "locations/FI/VRT/LOC1", wire.dumps({}), headers={"X-Request-ID": "1"})
    await emsp.services.peers.aclose()
    counts = {counted.rule: counted.count for counted in await store.of(friend.id)}
    assert (counts["examined"], counts["missing_field"]) == (3, 3)
