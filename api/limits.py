"""Rate limits: of a user, of a user's costly requests, of a peer, and of strangers at one address.

The answers say how much is left, as draft-ietf-httpapi-ratelimit-headers-11 has it: ``RateLimit-Policy`` and
``RateLimit``. A refusal is a 429 with ``Retry-After``.
"""

import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from fastapi import Request

from api.limiter import WINDOW_S, Limiter, Policy, Use, Verdict
from charging.errors import Problem
from charging.settings import Settings

ANSWER_HEADERS: Final = "charging.answer_headers"  # in the ASGI scope: what api.edge adds to the answer
_MOST_ADDRESSES: Final = 10_000


class Limits:
    """The limits of this process, by the settings; a rate of 0 is no limit.

    ``use`` is ``QuotaStore.use``, of a store that need not be there yet; ``clock`` tells Unix time, s.
    """

    def __init__(self, settings: Settings, use: Use, clock: Callable[[], float] = time.time) -> None:
        self._limiter = Limiter(use, clock)
        self._user = _policy("user", settings.user_rate)
        self._costly = _policy("costly", settings.costly_rate)
        self._peer = _policy("peer", settings.peer_rate)
        self._strangers = Strangers(_quota(settings.stranger_rate), clock)

    async def user(self, request: Request, sub: str, *, costly: bool = False) -> None:
        """Count a request of a user. Raises ``Problem`` 429."""
        policy = self._costly if costly else self._user
        verdict = await self._counted(request, policy, sub)
        if verdict is not None and not verdict.is_admitted:
            raise _refusal(verdict)

    async def peer(self, request: Request, connection_id: str) -> int | None:
        """Count a request of a peer. None where it is admitted, else after how many seconds it shall send it again."""
        verdict = await self._counted(request, self._peer, connection_id)
        return None if verdict is None or verdict.is_admitted else verdict.seconds

    async def _counted(self, request: Request, policy: Policy | None, caller: str) -> Verdict | None:
        if policy is None:
            return None
        verdict = await self._limiter.spend(policy, caller)
        request.scope.get(ANSWER_HEADERS, []).extend(_headers(verdict))
        return verdict

    def failed(self, request: Request) -> None:
        """Somebody did not prove who they are. Raises ``Problem`` 429 where that happens too often at one address.

        Who does prove it is served all the same: an address may be that of a proxy, or of many.
        """
        seconds = self._strangers.failed(_network(request))
        if seconds is not None:
            detail = "Too many requests from this address could not be authenticated."
            raise Problem(429, "rate_limited", detail, headers={"Retry-After": str(seconds)})


class Strangers:
    """Counts failed proofs by address, ``quota`` in a window; in this process only."""

    def __init__(self, quota: int, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._began = clock()
        self._failures: dict[str, int] = {}

    def failed(self, address: str) -> int | None:
        """Count a failure; the seconds to wait where there were too many, else None."""
        now = self._clock()
        if now >= self._began + WINDOW_S:
            self._began = now
            self._failures.clear()
        failures = self._failures.get(address, 0) + 1
        if address in self._failures or len(self._failures) < _MOST_ADDRESSES:
            self._failures[address] = failures
        if not self._quota or failures <= self._quota:
            return None
        return max(1, math.ceil(self._began + WINDOW_S - now))


def limits_of(request: Request) -> Limits:
    """The limits of this process."""
    found: Limits = request.app.state.limits
    return found


def _refusal(verdict: Verdict) -> Problem:
    detail = f"Too many requests: the quota {verdict.policy.name} is used up for {verdict.seconds} s."
    violated: Mapping[str, list[str]] = {"violated-policies": [verdict.policy.name]}
    return Problem(429, "rate_limited", detail, headers={"Retry-After": str(verdict.seconds)}, **violated)


def _headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    policy = verdict.policy
    return [
        (b"ratelimit-policy", f'"{policy.name}";q={policy.quota};w={WINDOW_S}'.encode()),
        (b"ratelimit", f'"{policy.name}";r={verdict.remaining};t={verdict.seconds}'.encode()),
    ]


def _policy(name: str, rate: float) -> Policy | None:
    return Policy(name, _quota(rate)) if rate else None


def _quota(rate: float) -> int:
    """Requests in a window, of a rate in requests per second."""
    return max(1, round(rate * WINDOW_S)) if rate else 0


def _network(request: Request) -> str:
    """Whom one address stands for: itself, or with IPv6 its /64, which one subscriber has whole."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
