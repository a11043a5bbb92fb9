"""The REST API as the commands use it: plain HTTP, and a problem document turned into a ``Failure``."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from charging.cli.failure import Failure
from charging.cli.target import Target, target

TIMEOUT_S = 30.0
LONG_POLL_S = 5
SILENCE_S = 40  # an event stream says something every 15 s
AGAIN_S = 1
NO_CONTENT = 204
ENDED = ("completed", "failed")

Json = dict[str, Any]


class Api:
    """The API's endpoints, each one call. All raise ``Failure`` with the API's own code and words."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def start(self, request: Json, idempotency_key: str | None = None) -> Json:
        """``POST /v1/sessions/start``."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return await self.call("POST", "/v1/sessions/start", json=request, headers=headers)

    async def stop(self, session_id: str) -> Json:
        """``POST /v1/sessions/stop``."""
        return await self.call("POST", "/v1/sessions/stop", json={"session_id": session_id})

    async def status(self, session_id: str, *, after: int | str | None = None) -> Json:
        """``GET …/status``; with ``after`` (a revision) it waits up to 5 s for something newer."""
        params = {} if after is None else {"wait": LONG_POLL_S, "after": after}
        return await self.call("GET", f"/v1/sessions/{session_id}/status", params=params)

    async def set_profile(self, session_id: str, request: Json) -> Json:
        """``POST …/charging-profile``."""
        return await self.call("POST", f"/v1/sessions/{session_id}/charging-profile", json=request)

    async def clear_profile(self, session_id: str) -> Json:
        """``DELETE …/charging-profile``."""
        return await self.call("DELETE", f"/v1/sessions/{session_id}/charging-profile")

    async def plan(self, session_id: str) -> Json:
        """``GET …/plan``."""
        return await self.call("GET", f"/v1/sessions/{session_id}/plan")

    async def quote(self, request: Json) -> Json:
        """``POST /v1/quotes``."""
        return await self.call("POST", "/v1/quotes", json=request)

    async def receipt(self, session_id: str) -> Json:
        """``GET …/receipt``."""
        return await self.call("GET", f"/v1/sessions/{session_id}/receipt")

    async def evse(self, evse_id: str) -> Json:
        """``GET /v1/evses/{evse_id}``."""
        return await self.call("GET", f"/v1/evses/{quote(evse_id, safe='')}")

    async def evses(self, params: Json) -> Json:
        """``GET /v1/evses``."""
        return await self.call("GET", "/v1/evses", params=params)

    async def statuses(self, session_id: str) -> AsyncIterator[Json]:
        """The session's status now, and again whenever it, or what it costs by now, has changed, until it has ended."""
        status = await self.status(session_id)
        yield status
        while status["status"] not in ENDED:
            before = status
            status = await self.status(session_id, after=before["revision"])
            if any(status[name] != before[name] for name in ("revision", "cost")):
                yield status

    async def events(self, path: str) -> AsyncIterator[Json]:
        """A stream of events, taken up again where it broke off, until the API says that there will be no more."""
        last: str | None = None
        while True:
            try:
                headers = {"Last-Event-ID": last} if last else {}
                async with self._http.stream("GET", path, headers=headers, timeout=SILENCE_S) as answer:
                    if answer.is_error:
                        await answer.aread()
                        raise _failure(answer)
                    async for line in answer.aiter_lines():
                        name, _, value = line.partition(": ")
                        if name == "id":
                            last = value
                        elif name == "data" and "id" in (event := json.loads(value)):
                            yield event
                    if answer.status_code == NO_CONTENT or last is None:
                        return
            except httpx.TransportError:
                pass
            await asyncio.sleep(AGAIN_S)

    async def call(self, method: str, path: str, **request: Any) -> Json:
        """One request; its JSON answer."""
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise Failure("unreachable", f"{self._http.base_url}: {error or type(error).__name__}") from error
        if answer.is_error:
            raise _failure(answer)
        return _json(answer) if answer.content else {}


@asynccontextmanager
async def connect(where: Target) -> AsyncIterator[Api]:
    """The API at ``where``, as its user; the admin's key goes along where there is one."""
    headers = {}
    if where.token:
        headers["Authorization"] = f"Bearer {where.token}"
    if where.admin_key:
        headers["X-API-Key"] = where.admin_key
    async with httpx.AsyncClient(base_url=where.api, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        yield Api(http)


def call_admin(data: Path | None, method: str, path: str, **request: Any) -> Json:
    """One request of the operator's, to the API that ``data`` or the environment names."""

    async def call() -> Json:
        async with connect(target(data)) as api:
            return await api.call(method, path, **request)

    return asyncio.run(call())


def _json(answer: httpx.Response) -> Json:
    try:
        body = answer.json()
    except ValueError as error:
        raise Failure("unreadable_answer", f"HTTP {answer.status_code} without JSON") from error
    return body if isinstance(body, dict) else {"items": body}


def _failure(answer: httpx.Response) -> Failure:
    problem = _json(answer)
    detail = str(problem.get("detail") or problem.get("title") or answer.reason_phrase)
    places = [f"{error.get('field')}: {error.get('detail')}" for error in problem.get("errors", [])]
    return Failure(str(problem.get("code") or f"http_{answer.status_code}"), "; ".join([detail, *places]))
