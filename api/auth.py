"""Who is asking: the bearer JWT of a user, or of a robot acting for one (``act``, RFC 8693).

The algorithms are fixed by configuration, never by the token. Keys come from a JWKS (production) or a shared secret
(development). ``jku``, ``x5u`` and ``jwk`` headers are ignored; the token is read from the header only (RFC 6750 §2.1).
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jwt
from fastapi import Request
from jwt.exceptions import PyJWKClientConnectionError

from api.limits import limits_of
from api.problems import unauthorized, unavailable
from charging.errors import Problem
from charging.settings import Settings

READ = "sessions:read"
WRITE = "sessions:write"

_MAX_TOKEN = 8192
_TYPES = {"jwt", "at+jwt", "application/jwt", "application/at+jwt"}
_CACHE_SIZE = 10_000
_CACHE_S = 60  # so long a token that was checked is taken without another look at its key
_KEY_FRESH_S = 300
_KEY_KEPT_S = 3600  # last known good keys while the JWKS is away
_JWKS_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller. ``sub`` owns sessions; ``scopes`` None means the token carries no ``scope``.

    ``contract_id``: of the user's contract at EV Pass, for the OCPI token of a session, where the token names one.
    """

    sub: str
    scopes: frozenset[str] | None
    actor: str | None
    expires_at: float
    contract_id: str | None = None

    def require(self, scope: str) -> None:
        """Raise ``Problem`` 403 when the token carries ``scope`` and this one is not in it."""
        if self.scopes is not None and scope not in self.scopes:
            challenge = f'Bearer realm="charging-sessions", error="insufficient_scope", scope="{scope}"'
            headers = {"WWW-Authenticate": challenge}
            raise Problem(403, "insufficient_scope", f"The token lacks the scope {scope}.", headers=headers)


class Authenticator:
    """Checks tokens by the settings; remembers verified ones for a minute, by their hash, never past ``exp``.

    A public key is looked up again after ``key_fresh_s``, and good for ``key_kept_s`` while its issuer is away.
    """

    def __init__(
        self, settings: Settings, *, key_fresh_s: float = _KEY_FRESH_S, key_kept_s: float = _KEY_KEPT_S
    ) -> None:
        self._settings = settings
        self._asymmetric = settings.jwks_url is not None
        # A shared secret never checks against a public key, and the other way round, whatever is configured.
        self._algorithms = [a for a in settings.jwt_algorithms if a.startswith("HS") != self._asymmetric]
        self._keys = _Keys(settings.jwks_url, key_fresh_s, key_kept_s) if settings.jwks_url else None
        self._verified: OrderedDict[bytes, tuple[User, float]] = OrderedDict()

    async def user(self, request: Request) -> User:
        """The caller. Raises ``Problem`` 401, or 503 while no key can be had."""
        token = _bearer(request)
        digest = hashlib.sha256(token.encode()).digest()
        now = time.time()
        remembered = self._verified.get(digest)
        if remembered and now < remembered[1]:
            return remembered[0]
        user = await self._verify(token)
        self._remember(digest, user, now)
        return user

    def _remember(self, digest: bytes, user: User, now: float) -> None:
        until = min(user.expires_at + self._settings.jwt_leeway_s, now + _CACHE_S)
        self._verified[digest] = (user, until)
        self._verified.move_to_end(digest)
        while len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)

    async def _verify(self, token: str) -> User:
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ", "JWT")).lower() not in _TYPES:
                raise unauthorized("The token is not an access token.")
            return _user(self._claims(token, await self._key(header)))
        except PyJWKClientConnectionError:
            raise unavailable("The keys of the token's issuer cannot be fetched.") from None
        except jwt.ExpiredSignatureError:
            raise unauthorized("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError):
            raise unauthorized("The token is not valid.") from None

    async def _key(self, header: dict[str, Any]) -> Any:
        if self._keys is None:
            return self._settings.jwt_secret.get_secret_value()
        return (await self._keys.find(header.get("kid"))).key

    def _claims(self, token: str, key: Any) -> dict[str, Any]:
        settings = self._settings
        required = ["exp", "sub"]
        required += ["aud"] if settings.jwt_audience else []
        required += ["iss"] if settings.jwt_issuer else []
        return jwt.decode(
            token,
            key,
            algorithms=self._algorithms,
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            leeway=settings.jwt_leeway_s,
            options={"require": required, "verify_aud": settings.jwt_audience is not None},
        )


class _Keys:
    """The issuer's public keys by ``kid``: fetched in a thread, last known good ones kept while the issuer is away."""

    def __init__(self, url: str, fresh_s: float, kept_s: float) -> None:
        self._fresh_s, self._kept_s = fresh_s, kept_s
        # At most one fetch per 30 s for unknown key ids: strangers must not be able to make us hammer the issuer.
        self._client = jwt.PyJWKClient(url, lifespan=fresh_s, timeout=_JWKS_TIMEOUT_S, cooldown_duration=30)
        self._known: dict[str, tuple[jwt.PyJWK, float]] = {}

    async def find(self, kid: Any) -> jwt.PyJWK:
        """The key ``kid``. Raises ``PyJWTError``; ``PyJWKClientConnectionError`` when it cannot be looked up."""
        if not isinstance(kid, str) or not kid:
            raise jwt.InvalidTokenError("no key id")
        key, seen_at = self._known.get(kid, (None, 0.0))
        if key is not None and time.monotonic() - seen_at < self._fresh_s:
            return key
        try:
            found = await asyncio.to_thread(self._client.get_signing_key, kid)
        except (PyJWKClientConnectionError, ValueError):  # ValueError: a page of a proxy, and no JSON
            return self._last_known(kid)
        self._known[kid] = (found, time.monotonic())
        return found

    def _last_known(self, kid: str) -> jwt.PyJWK:
        """The key while the issuer is away. A key id that is none of those that are still good was made up."""
        since = time.monotonic() - self._kept_s
        good = {known: key for known, (key, seen_at) in self._known.items() if seen_at > since}
        if kid in good:
            return good[kid]
        if good and kid not in self._known:
            raise jwt.InvalidTokenError("unknown key id")
        raise PyJWKClientConnectionError("the issuer is away, and was for too long")


def _bearer(request: Request) -> str:
    headers = request.headers.getlist("authorization")
    if len(headers) != 1:
        raise unauthorized("One Authorization header with a bearer token is needed.")
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN or not token.isascii():
        raise unauthorized("The Authorization header carries no usable bearer token.")
    return token


def _user(claims: dict[str, Any]) -> User:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= 255:
        raise unauthorized("The token's subject cannot be used.")
    actor = claims.get("act")
    return User(
        sub=subject,
        scopes=_scopes(claims.get("scope")),
        actor=actor.get("sub") if isinstance(actor, dict) else None,
        expires_at=float(claims["exp"]),
        contract_id=_contract_id(claims.get("contract_id")),
    )


def _contract_id(claim: Any) -> str | None:
    """An OCPI CiString(36); anything else is as if there were none."""
    fits = isinstance(claim, str) and claim.isascii() and claim.isprintable() and 0 < len(claim) <= 36
    return claim if fits else None


def _scopes(claim: Any) -> frozenset[str] | None:
    """RFC 8693 §4.2 says one string, some issuers send a list. Anything else grants nothing."""
    if claim is None:
        return None
    if isinstance(claim, str):
        return frozenset(claim.split())
    return frozenset(s for s in claim if isinstance(s, str)) if isinstance(claim, list) else frozenset()


def authenticated(scope: str, *, costly: bool = False) -> Callable[[Request], Any]:
    """A dependency: the caller, allowed to do ``scope``. ``costly``: counted by the limit for what is costly."""

    async def user(request: Request) -> User:
        return await admitted(request, scope, costly=costly)

    return user


async def admitted(request: Request, scope: str, *, costly: bool = False) -> User:
    """The caller, allowed to do ``scope``, within the limits. Raises ``Problem`` 401, 403, 429, 503."""
    authenticator: Authenticator = request.app.state.authenticator
    limits = limits_of(request)
    try:
        caller = await authenticator.user(request)
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            limits.failed(request)
        raise
    await limits.user(request, caller.sub, costly=costly)
    caller.require(scope)
    return caller
