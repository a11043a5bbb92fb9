"""The steps of a check, in the order of a real session: handshake, pulls, start, profile, stop, CDR, lists, parting."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from charging.errors import PeerError, PeerRefused
from charging.ocpi import session_object, wire
from charging.ocpi.check.emsp import Emsp
from charging.ocpi.check.report import Report, Step, StepFailed, StepSkipped, Verdict
from charging.ocpi.client import CpoClient
from charging.ocpi.evse_id import lookup_key
from charging.ocpi.findings import Answered, Finding, of_answer
from charging.ocpi.models import (
    ChargingProfile,
    ChargingProfilePeriod,
    Credentials,
    CredentialsRole,
    SetChargingProfile,
    StartSession,
    StopSession,
    VersionDetail,
    to_wire,
)
from charging.ocpi.transport import Exchange, Transport
from charging.ocpi.versions import DIALECTS, Body, Kind
from charging.ocpi.wire import TokenForm
from charging.store.connections import Connection, form_of

NEEDED = (("locations", "SENDER"), ("commands", "RECEIVER"), ("credentials", None))
WANTED = (
    ("tariffs", "SENDER"),
    ("sessions", "SENDER"),
    ("cdrs", "SENDER"),
    ("tokens", "RECEIVER"),
    ("chargingprofiles", "RECEIVER"),
)
SKEW = timedelta(minutes=30)
PROFILE_W = Decimal(5000)


@dataclass
class Options:
    """``patience_s``: how long to wait for each thing that comes by itself. ``evse``: EVSE id or uid to charge at.

    ``version``: the one to speak; None: the highest that the CPO offers too.
    """

    versions_url: str
    token: str
    evse: str | None = None
    patience_s: float = 60
    version: str | None = None


@dataclass
class Check:
    """One check of one CPO. ``run`` never raises for what the CPO does: that is in the report."""

    transport: Transport
    emsp: Emsp
    options: Options
    report: Report = field(init=False)
    heard: list[Finding] = field(default_factory=list)  # in answers
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.report = Report(self.options.versions_url)
        self._form: TokenForm = "base64"
        self._endpoints: list[Body] = []
        self._client: CpoClient | None = None
        self._evse: tuple[Body, Body] | None = None
        self._locations: list[Body] = []
        self._start: StartSession | None = None
        self._session: Body | None = None
        self._cdr: Body | None = None

    # What ``CpoClient`` asks of a doctor: here every answer is looked at, at once.

    def wants(self, connection_id: str, module: str, size: int) -> bool:
        """Yes."""
        return True

    def answered(self, connection_id: str, answer: Answered) -> None:
        """Look at an answer."""
        self.heard += of_answer(answer)

    async def run(self) -> Report:
        """All steps. What was begun is ended: the session is stopped, the registration undone."""
        with suppress(StepFailed):
            try:
                await self._versions()
                await self._register()
                await self._pull_locations()
                await self._pull_tariffs()
                await self._start_session()
                await self._await_session()
                await self._set_profile()
                await self._clear_profile()
            finally:
                if self._client is not None:
                    with suppress(StepFailed):
                        await self._end_session()
                    await self._unregister()
        return self.report

    @asynccontextmanager
    async def _step(self, name: str, expected: str, section: str, *, essential: bool = False) -> AsyncIterator[Step]:
        """One step. A failed ``essential`` one ends what builds on it (``StepFailed``)."""
        step = Step(name, expected, section)
        self.report.steps.append(step)
        begin, heard = len(self.emsp.findings), len(self.heard)
        try:
            yield step
        except StepSkipped as skipped:
            step.verdict, step.seen = Verdict.SKIPPED, str(skipped)
        except (StepFailed, PeerError, ValidationError) as error:
            step.verdict = Verdict.FAILED
            step.seen = "an answer that lacks what OCPI asks for" if isinstance(error, ValidationError) else str(error)
        step.findings = list(dict.fromkeys([*self.heard[heard:], *self.emsp.findings[begin:]]))
        if step.findings and step.verdict is Verdict.OK:
            step.verdict = Verdict.WARNING
        if essential and step.verdict is Verdict.FAILED:
            raise StepFailed(name)

    # ---- Handshake (§6, §7) ----

    async def _versions(self) -> None:
        wanted = self.options.version or f"one of {', '.join(DIALECTS)}"
        async with self._step("versions", f"a list of versions with {wanted}", "§6.1", essential=True) as step:
            listed = await self._listed_versions()
            offered = {str(v.get("version")): str(v.get("url")) for v in listed if isinstance(v, dict)}
            step.seen = ", ".join(sorted(offered)) or "none"
            chosen = next((v for v in DIALECTS if v in offered and self.options.version in (None, v)), None)
            if chosen is None:
                raise StepFailed(f"offered: {step.seen}")
            self._speak(step, chosen)
        async with self._step("version details", "the endpoints of all modules", "§6.2", essential=True) as step:
            detail = VersionDetail.model_validate(
                self._read("version_detail", await self._get(offered[chosen], "versions"))
            )
            self._endpoints = [endpoint.model_dump(exclude_none=True) for endpoint in detail.endpoints]
            step.seen = ", ".join(sorted({e["identifier"] for e in self._endpoints}))
            if missing := [name for name, role in NEEDED if not self._offers(name, role)]:
                raise StepFailed(f"missing: {', '.join(missing)}")
            missing = [name for name, role in WANTED if self._has(name) and not self._offers(name, role)]
            if missing:
                step.warn(f"not offered: {', '.join(missing)}")

    async def _listed_versions(self) -> Any:
        """Which form of the token a CPO takes is known with its version only: a 401 is asked again in the other."""
        try:
            return await self._get(self.options.versions_url, "versions")
        except PeerRefused as error:
            if error.http_status != 401:
                raise
            self._form = "raw"
            return await self._get(self.options.versions_url, "versions")

    def _speak(self, step: Step, version: str) -> None:
        self.report.version, self.emsp.spoken = version, DIALECTS[version]
        if self._form == "raw" and self.emsp.spoken.encodes_token:
            step.warn(f"the token is taken raw only: in OCPI {version} it comes in Base64")
        elif not self.emsp.spoken.encodes_token:
            self._form = form_of(self.emsp.spoken)

    async def _register(self) -> None:
        expected = "Credentials with a new token, after a look at our versions with the token that we gave"
        async with self._step("credentials", expected, "§7.1.1", essential=True) as step:
            url = next(e["url"] for e in self._endpoints if e["identifier"] == "credentials")
            answer = await self._call("POST", url, "credentials", body=self._credentials())
            theirs = Credentials.model_validate(self._read("credentials", answer))
            roles = [role.model_dump(mode="json", exclude_none=True) for role in theirs.roles]
            connection = Connection(
                id="check",
                name="check",
                network="check",
                status="active",
                version=self.emsp.spoken.version,
                versions_url=theirs.url,
                roles=roles,
                endpoints=self._endpoints,
                client_token=theirs.token,
                power_factor=1,
                token_form=self._form,
            )
            self._client = CpoClient(self.transport, connection, self.emsp.party, doctor=self)
            self.emsp.roles = connection.parties
            step.seen = ", ".join(f"{party.country_code}*{party.party_id}" for party in connection.parties)
            if not self.emsp.versions_read:
                step.warn("our versions were not read during the POST")
            if theirs.token == self.options.token:
                step.warn("the token is that of the registration: it has to be a new one")
        async with self._step("registration token", "HTTP 401: it is dead after its use", "§7.1.1") as step:
            try:
                await self._get(self.options.versions_url, "versions")
                step.warn("it is still accepted")
            except PeerRefused as error:
                step.seen = str(error)

    def _credentials(self) -> Body:
        role = {"role": "EMSP", "business_details": {"name": "OCPI check"}}
        party = {"party_id": self.emsp.party.party_id, "country_code": self.emsp.party.country_code}
        roles = [CredentialsRole.model_validate({**role, **party})]
        ours = Credentials(token=self.emsp.token, url=self.emsp.versions_url, roles=roles)
        return self.emsp.spoken.write("credentials", to_wire(ours))

    # ---- Pulls (§8, §11) ----

    async def _pull_locations(self) -> None:
        async with self._step("locations", "all Locations, paged", "§8.2.1", essential=True) as step:
            self._locations = [body async for body in self._cpo.locations()]
            places = [(location, evse) for location in self._locations for evse in _list(location, "evses")]
            step.seen = f"{len(self._locations)} Locations, {len(places)} EVSEs"
            fitting = [place for place in places if self._is_wanted(place[1])]
            if not fitting:
                raise StepFailed(f"{step.seen}; {self.options.evse or 'no EVSE'} is not there to charge at")
            self._evse = fitting[0]
            nameless = sum(1 for _, evse in places if not evse.get("evse_id"))
            if nameless:
                step.warn(f"{nameless} EVSEs have no evse_id: drivers cannot name them")

    def _is_wanted(self, evse: Body) -> bool:
        if evse.get("uid") is None or not _list(evse, "connectors"):
            return False
        if self.options.evse is None:
            return evse.get("status") == "AVAILABLE"
        names = {lookup_key(str(evse.get(key))) for key in ("evse_id", "uid")}
        return lookup_key(self.options.evse) in names

    async def _pull_tariffs(self) -> None:
        async with self._step("tariffs", "the Tariffs that connectors name", "§11.2.1") as step:
            self._require_module("tariffs", "SENDER")
            known = {wire.fold(str(body.get("id"))) async for body in self._cpo.tariffs()}
            evses = [evse for location in self._locations for evse in _list(location, "evses")]
            named = {str(i) for e in evses for c in _list(e, "connectors") for i in c.get("tariff_ids") or []}
            step.seen = f"{len(known)} Tariffs"
            if missing := sorted(tariff for tariff in named if wire.fold(tariff) not in known):
                step.warn(f"{len(missing)} that connectors name are missing, {missing[0]} among them")

    # ---- Start (§13, §9) ----

    async def _start_session(self) -> None:
        location, evse = self._evse or ({}, {})
        command_id = uuid.uuid4().hex
        self._start = StartSession.model_validate(
            {
                "response_url": self.emsp.endpoint("commands", "START_SESSION", command_id),
                "token": _token(self.emsp.party),
                "location_id": location["id"],
                "evse_uid": evse["uid"],
                "connector_id": _list(evse, "connectors")[0]["id"],
                "authorization_reference": uuid.uuid4().hex[:20].upper(),
            }
        )
        where = f"at {evse.get('evse_id') or evse['uid']}"
        async with self._step("START_SESSION", f"CommandResponse ACCEPTED {where}", "§13.2.1", essential=True) as step:
            response = await self._cpo.start_session(self._start)
            step.seen = response.result
            if response.result != "ACCEPTED":
                raise StepFailed(f"CommandResponse {response.result}")
        async with self._step("start result", "CommandResult ACCEPTED at our response_url", "§13.2.2") as step:
            await self._result(step, command_id, response.timeout)

    async def _await_session(self) -> None:
        expected = "a PUT of the Session, ACTIVE, that names our token"
        async with self._step("session", expected, "§9.2.2", essential=True) as step:
            found = await self.emsp.until(lambda: self._is_session("ACTIVE"), self.options.patience_s)
            if not found:
                found = await self._listed_session()
                if found is None:
                    raise StepFailed(f"no ACTIVE Session within {self.options.patience_s:g} s, pushed or listed")
                step.warn("it was not pushed; the list has it")
            self._session = self._mine() or found
            step.seen = f"Session {self._session['id']} {self._session['status']}" + (step.seen and f"; {step.seen}")
        async with self._step("meter", "updates of kwh while it charges", "§9.2.2") as step:
            if await self.emsp.until(self._has_energy, self.options.patience_s):
                step.seen = f"{(self._mine() or {}).get('kwh')} kWh"
            else:
                step.warn(f"no energy pushed within {self.options.patience_s:g} s")

    def _mine(self) -> Body | None:
        if self._start is None:
            return None
        return self.emsp.session_of(str(self._start.authorization_reference), self._start.token.uid)

    def _is_session(self, *statuses: str) -> Body | None:
        session = self._mine()
        return session if session and session.get("status") in statuses else None

    def _has_energy(self) -> bool:
        return (wire.decimal((self._mine() or {}).get("kwh")) or Decimal(0)) > 0

    async def _listed_session(self) -> Body | None:
        if not self._offers("sessions", "SENDER"):
            return None
        async for body in self._cpo.sessions(self.began - SKEW):
            self.emsp.sessions.setdefault(str(body.get("id")), body)
        return self._mine()

    # ---- Charging profile (§14) ----

    async def _set_profile(self) -> None:
        async with self._step("profile", "ChargingProfileResponse and result ACCEPTED", "§14.2.1") as step:
            self._require_profiles()
            command_id = uuid.uuid4().hex
            period = ChargingProfilePeriod(start_period=0, limit=PROFILE_W)
            profile = ChargingProfile(charging_rate_unit="W", charging_profile_period=[period])
            url = self.emsp.endpoint("chargingprofiles", "SET_PROFILE", command_id)
            body = SetChargingProfile(charging_profile=profile, response_url=url)
            response = await self._cpo.set_charging_profile(self._session_id, body)
            await self._accepted(step, command_id, response.result, response.timeout)

    async def _clear_profile(self) -> None:
        async with self._step("clear profile", "ChargingProfileResponse and result ACCEPTED", "§14.2.1") as step:
            self._require_profiles()
            command_id = uuid.uuid4().hex
            url = self.emsp.endpoint("chargingprofiles", "CLEAR_PROFILE", command_id)
            response = await self._cpo.clear_charging_profile(self._session_id, url)
            await self._accepted(step, command_id, response.result, response.timeout)

    def _require_profiles(self) -> None:
        self._require_module("chargingprofiles", "RECEIVER")
        if "CHARGING_PROFILE_CAPABLE" not in ((self._evse or ({}, {}))[1].get("capabilities") or []):
            raise StepSkipped("the EVSE is not CHARGING_PROFILE_CAPABLE")

    # ---- End (§13, §9, §10) ----

    async def _end_session(self) -> None:
        if self._mine() is None:
            return
        self._session = self._mine()
        command_id = uuid.uuid4().hex
        async with self._step("STOP_SESSION", "CommandResponse and CommandResult ACCEPTED", "§13.2.1") as step:
            url = self.emsp.endpoint("commands", "STOP_SESSION", command_id)
            response = await self._cpo.stop_session(StopSession(response_url=url, session_id=self._session_id))
            await self._accepted(step, command_id, response.result, response.timeout)
        async with self._step("completed", "the Session, COMPLETED", "§9.2.2", essential=True) as step:
            if not await self.emsp.until(lambda: self._is_session("COMPLETED"), self.options.patience_s):
                raise StepFailed(f"after {self.options.patience_s:g} s it is {(self._mine() or {}).get('status')}")
            step.seen = f"{(self._mine() or {}).get('kwh')} kWh"
        async with self._step("CDR", "a POST of the CDR of this Session", "§10.2.2") as step:
            await self._await_cdr(step)
        await self._lists()

    async def _await_cdr(self, step: Step) -> None:
        self._cdr = await self.emsp.until(self._my_cdr, self.options.patience_s)
        if self._cdr is None and self._offers("cdrs", "SENDER"):
            async for body in self._cpo.cdrs(self.began - SKEW):
                self.emsp.keep_cdr(body)
            self._cdr = self._my_cdr()
            step.warn("it was not pushed")
        if self._cdr is None:
            raise StepFailed(f"no CDR within {self.options.patience_s:g} s, pushed or listed")
        step.seen = f"CDR {self._cdr.get('id')}, {self._cdr.get('total_energy')} kWh" + (step.seen and f"; {step.seen}")
        session = self._mine() or {}
        if self._cdr.get("currency") != session.get("currency"):
            step.warn("its currency is not the Session's")
        if wire.decimal(self._cdr.get("total_energy")) != wire.decimal(session.get("kwh")):
            step.warn(f"its energy is not the Session's ({session.get('kwh')} kWh)")

    def _my_cdr(self) -> Body | None:
        return next((cdr for cdr in self.emsp.cdrs if self._is_mine(cdr)), None)

    def _is_mine(self, cdr: Body) -> bool:
        """Whether a CDR is our Session's. One of 2.1.1 names its token alone, which nobody else has."""
        if cdr.get("session_id") is not None:
            return wire.fold(str(cdr["session_id"])) == wire.fold(self._session_id)
        return self._start is not None and session_object.references(cdr)[1] == wire.fold(self._start.token.uid)

    async def _lists(self) -> None:
        async with self._step("sessions list", "the Session, as it was pushed", "§9.2.1") as step:
            self._require_module("sessions", "SENDER")
            listed = [body async for body in self._cpo.sessions(self.began - SKEW)]
            self._require_listed(step, listed, self._session_id, "Sessions")
        async with self._step("CDRs list", "the CDR, as it was pushed", "§10.2.1") as step:
            self._require_module("cdrs", "SENDER")
            if self._cdr is None:
                raise StepSkipped("there is no CDR")
            listed = [body async for body in self._cpo.cdrs(self.began - SKEW)]
            self._require_listed(step, listed, str(self._cdr.get("id")), "CDRs")

    def _require_listed(self, step: Step, listed: list[Body], wanted: str, what: str) -> None:
        step.seen = f"{len(listed)} {what}"
        if wire.fold(wanted) not in {wire.fold(str(body.get("id"))) for body in listed}:
            raise StepFailed(f"{step.seen}, {wanted} is not among them")

    async def _unregister(self) -> None:
        async with self._step("unregister", "DELETE of the credentials, and their token is dead", "§7.2.4") as step:
            token = str(self._cpo.connection.client_token)
            url = str(self._cpo.connection.endpoint("credentials"))
            await self._call("DELETE", url, "credentials", token=token)
            try:
                await self._get(self.options.versions_url, "versions", token=token)
                step.warn("the token is still accepted")
            except PeerRefused as error:
                step.seen = str(error)

    # ---- Small parts ----

    @property
    def _cpo(self) -> CpoClient:
        if self._client is None:
            raise StepFailed("not registered")
        return self._client

    @property
    def _session_id(self) -> str:
        return str((self._session or {}).get("id"))

    def _offers(self, module: str, role: str | None) -> bool:
        return any(
            wire.fold(e["identifier"]) == wire.fold(module) and role in (None, e.get("role")) for e in self._endpoints
        )

    def _has(self, module: str) -> bool:
        """Whether there is such a module in the version that is spoken."""
        return module in self.emsp.spoken.modules

    def _read(self, kind: Kind, data: Any) -> Any:
        return self.emsp.spoken.read(kind, data) if isinstance(data, dict) else data

    def _require_module(self, module: str, role: str) -> None:
        if not self._has(module):
            raise StepSkipped(f"OCPI {self.emsp.spoken.version} has no {module}")
        if not self._offers(module, role):
            raise StepSkipped(f"{module} is not offered")

    async def _accepted(self, step: Step, command_id: str, result: str, timeout_s: int) -> None:
        if result != "ACCEPTED":
            raise StepFailed(f"response {result}")
        await self._result(step, command_id, timeout_s)

    async def _result(self, step: Step, command_id: str, timeout_s: int) -> None:
        patience = max(self.options.patience_s, timeout_s)
        body = await self.emsp.until(lambda: self.emsp.results.get(command_id), patience)
        if body is None:
            raise StepFailed(f"no result within {patience:g} s")
        step.seen = str(body.get("result"))
        if step.seen != "ACCEPTED":
            raise StepFailed(f"result {step.seen}")

    async def _get(self, url: str, module: str, token: str | None = None) -> Any:
        return await self._call("GET", url, module, token=token)

    async def _call(
        self, method: str, url: str, module: str, *, token: str | None = None, body: Body | None = None
    ) -> Any:
        def seen(exchange: Exchange) -> None:
            told = (exchange.url, exchange.http_status, exchange.sent, exchange.headers, exchange.body)
            # Until a version is chosen, only what all of them ask for.
            version = self.report.version or min(DIALECTS)
            self.heard.extend(of_answer(Answered(version, module, method, *told)))

        with_ids = self.report.version is None or self.emsp.spoken.has_routing
        answer = await self.transport.call(
            method, url, token or self.options.token, body=body, form=self._form, with_ids=with_ids, seen=seen
        )
        return answer.envelope.data


def _token(party: wire.Party) -> Body:
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "uid": uuid.uuid4().hex[:20].upper(),
        "type": "AD_HOC_USER",
        "contract_id": f"{party.country_code}-{party.party_id}-C00000001-X",
        "issuer": "OCPI check",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": wire.format_datetime(datetime.now(UTC)),
    }


def _list(body: Body, name: str) -> list[Body]:
    return [item for item in body.get(name) or [] if isinstance(item, dict)]
