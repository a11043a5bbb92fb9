"""What a peer may push, spoiled, over real HTTP, in each version: an envelope always, and all of it kept or nothing."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from charging.ocpi import wire
from charging.ocpi.versions import DIALECTS, Kind, dialect
from charging.store.connections import form_of
from tests.fuzz.budget import SECONDS
from tests.fuzz.logged import everything_logged
from tests.fuzz.spoiling import ODD, Choose, client, credentials, in_version, objects, result, spoiled, text_of
from tests.ocpi import conftest as stage
from tests.ocpi.conftest import Emsp, on_sqlite
from tests.peer import ScriptedCpo

settings, emsp = stage.settings, stage.emsp

# It is in each push wherever a peer may write: whoever logs what peers send logs it.
MARKER: Final = "Xq7-marker-Zk4"
EXAMPLES: Final = 30
EXAMPLES_PER_SECOND: Final = 20
# An object that can be read back: where it is kept, and what it is.
KEPT: Final[tuple[tuple[str, Kind], ...]] = (
    ("locations/FI/VRT/LOC1", "location"),
    ("tariffs/FI/VRT/T1", "tariff"),
    ("sessions/FI/VRT/S1", "session"),
)


MARKED: Final = {wire.REQUEST_ID: MARKER, wire.CORRELATION_ID: MARKER, "User-Agent": MARKER, "X-Of-A-Vendor": MARKER}


@dataclass(frozen=True)
class Push:
    """One request of a peer. ``kind``: it is a PUT of a whole object of that kind."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    kind: Kind | None = None


def push(version: str, choose: Choose) -> Push:
    """Any push, spoiled somewhere: the body, the path, or the headers."""
    bodies = objects()
    whole = [("PUT", path, in_version(version, kind, bodies[kind]), kind) for path, kind in KEPT]
    parts: list[tuple[str, str, Any, Kind | None]] = [
        *(("PATCH", path, {**body, "last_updated": wire.format_datetime(datetime.now(UTC))}, None)
          for _, path, body, _ in whole),
        ("PATCH", "locations/FI/VRT/LOC1/3256", {"status": "CHARGING", "last_updated": "2026-03-30T12:00:00Z"}, None),
        ("POST", "cdrs", in_version(version, "cdr", bodies["cdr"]), None),
        ("POST", "commands/START_SESSION/0", result(), None),
        ("POST", "chargingprofiles/SET_PROFILE/0", result(), None),
        ("PUT", "chargingprofiles/S1", {"start_date_time": "2026-03-30T12:00:00Z", "charging_profile": {}}, None),
        ("PUT", "hubclientinfo/FI/VRT", client(), None),
        ("POST", "tokens/ABC/authorize", {"location_id": "LOC1", "evse_uids": ["3256"]}, None),
        ("POST", "credentials", credentials(), None),
        ("GET", "tokens?offset=0&limit=10&date_from=2026-01-01T00:00:00Z", {}, None),
        ("PUT", "invoicereconciliation/FI/VRT/I1", {"id": "I1", "cdrs": []}, None),
    ]  # fmt: skip
    every = [*whole, *parts]
    method, path, body, kind = every[choose(len(every))]
    body = _marked(body, choose)
    where = choose(8)
    if where == 0:
        return Push(method, _spoiled_path(path, choose), text_of(body), MARKED)
    if where == 1:  # far enough to be read, and thus to be odd
        return Push(method, _of_another(path), text_of(spoiled(body, choose)), MARKED)
    if where == 2:
        return Push(method, path, text_of(body), {**MARKED, **_spoiled_headers(choose)}, kind)
    if where == 3:
        raw = text_of(body)
        return Push(method, path, raw[: choose(len(raw))] + bytes([choose(256)]), MARKED)
    return Push(method, path, text_of(spoiled(body, choose)), MARKED, kind)


def _marked(body: dict[str, Any], choose: Choose) -> dict[str, Any]:
    """With the marker as a name, as a value, and at the end of one of its own texts."""
    texts = [name for name, value in body.items() if isinstance(value, str)]
    marked = {**body, MARKER: {MARKER: MARKER}}
    if texts and choose(2):
        name = texts[choose(len(texts))]
        marked[name] += MARKER
    return marked


def _of_another(path: str) -> str:
    path, _, query = path.partition("?")
    return f"{path}{MARKER}?{MARKER}={MARKER}&{query}"


def _spoiled_path(path: str, choose: Choose) -> str:
    parts = path.split("/")
    odd = str(ODD[choose(len(ODD))])[:300].encode("utf-8", "surrogatepass")
    parts[choose(len(parts))] = quote(odd, safe="") + MARKER
    return f"{'/'.join(parts)}{'&' if '?' in path else '?'}{MARKER}={MARKER}"


def _spoiled_headers(choose: Choose) -> dict[str, str]:
    names = (wire.REQUEST_ID, wire.CORRELATION_ID, wire.FROM_COUNTRY, wire.FROM_PARTY, wire.TO_PARTY, "Content-Type")
    values = ("", "x" * 3000, "\xe4\xf6", "text/html", "gzip", "XX", "-1", "' OR 1=1 --", MARKER)
    return {names[choose(len(names))]: values[choose(len(values))]}


@on_sqlite
@pytest.mark.parametrize("version", DIALECTS)
async def test_a_spoiled_push_is_answered_by_an_envelope_and_kept_whole_or_not_at_all(
    emsp: Emsp, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    await push_much(emsp, version, EXAMPLES, caplog)


@pytest.mark.soak
@pytest.mark.timeout(10 * SECONDS + 120)
@on_sqlite
@pytest.mark.parametrize("version", DIALECTS)
async def test_many_spoiled_pushes_are_answered_and_kept_whole_or_not_at_all(
    emsp: Emsp, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    await push_much(emsp, version, SECONDS * EXAMPLES_PER_SECOND, caplog)


async def push_much(emsp: Emsp, version: str, examples: int, caplog: pytest.LogCaptureFixture) -> None:
    """Push so many times; neither the token nor anything of the pushes must be in a log."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx")  # as in every process: it tells the URLs of requests, here the peer's
    async with ScriptedCpo(version=version) as cpo:
        await cpo.befriend(emsp.services.database, emsp.services.settings)
        token = str(cpo.emsp_token)
        authorization = wire.encode_token(token, form_of(dialect(version)))
        base = f"{emsp.url}/ocpi/emsp/{version}/"
        with httpx.Client(base_url=base, headers={"Authorization": authorization}, timeout=20) as http:
            await asyncio.to_thread(_push_all, http, version, examples)
    logged = everything_logged(caplog.records)
    assert "odd message" in logged
    assert [text for text in (token, authorization, MARKER) if text in logged] == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def _push_all(http: httpx.Client, version: str, examples: int) -> None:
    @hypothesis.settings(
        max_examples=examples,
        derandomize=examples == EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        one = push(version, lambda n: data.draw(st.integers(0, n - 1)))
        hypothesis.note(repr(one))
        before = _stored(http, one)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in one.headers.items()]
        answer = http.request(one.method, one.path, content=one.body, headers=headers)
        assert answer.status_code < 500
        envelope = answer.json()
        assert isinstance(envelope["status_code"], int)
        wire.parse_datetime(envelope["timestamp"])
        if envelope["status_code"] >= 2000:
            assert _stored(http, one) == before

    ask()


def _stored(http: httpx.Client, one: Push) -> Any:
    if one.kind is None:
        return None
    answer = http.get(one.path)
    assert answer.status_code in (200, 404)
    return answer.json().get("data")
