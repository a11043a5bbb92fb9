"""What is there before anybody asks for it, so that every list names something and links lead somewhere."""

from datetime import UTC, datetime, timedelta
from typing import Final

from charging.ocpi import wire
from tests.fuzz.spoiling import text_of
from tests.peer import evse, location
from tests.stack import Stack

# Enough for every session and reservation that a fuzzer begins. Shorter than what is looked for in logs.
EVSE_IDS: Final = [f"FI*VRT*E{n}" for n in range(20, 140)]
_EVSES: Final = [evse(uid=evse_id.rpartition("*")[2], evse_id=evse_id) for evse_id in EVSE_IDS]
HOOK: Final = "http://127.0.0.1:9/hook"


async def furnish(stack: Stack) -> None:
    """EVSEs, a CDR for people to decide about, a webhook, a curve and a token."""
    answers = [
        await stack.cpo.call("PUT", "locations/FI/VRT/LOC2", location(id="LOC2", evses=_EVSES)),
        await stack.cpo.post_cdr(stack.cpo.cdr(stack.cpo.session(id="NOBODYS"), id="CDR2")),
        await stack.api.post("/v1/webhooks", json={"url": HOOK}),
    ]
    admin = {"X-API-Key": stack.settings.admin_key.get_secret_value(), "Content-Type": "application/json"}
    soon = wire.format_datetime(datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
    later = wire.format_datetime(wire.parse_datetime(soon) + timedelta(hours=1))
    curve = text_of({"points": [{"start": soon, "end": later, "price": 0.1}], "currency": "EUR"})
    put = {"kind": "price", "currency": "EUR"}
    answers += [
        await stack.api.put("/v1/admin/curves/spot", params=put, content=curve, headers=admin),
        await stack.api.put("/v1/admin/curves/published", json={"kind": "price", "url": HOOK}, headers=admin),
        await stack.api.post("/ocpi/tokens", json={"user_id": "robot"}, headers=admin),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201), answer.text


async def charge(stack: Stack) -> None:
    """One session that is paid, and one that runs."""
    paid, session = await stack.charging(minutes=5)
    ended = {**session, "kwh": 2, "status": "COMPLETED"}
    await stack.cpo.push_session(ended)
    await stack.cpo.post_cdr(stack.cpo.cdr(ended))
    await stack.until(paid, "completed", within_s=60)
    await stack.charging(id="S2", minutes=1, evse_id="FI*VRT*E20")
