"""Development user tokens: signed with the stack's own secret, or by the sandbox's EV Pass where that knows the users.

Production takes JWKS only.
"""

from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt

from charging.bootstrap.errors import StackError

RUN_TOKEN_TTL = timedelta(days=30)
DEMO_USER = "demo-user"


def mint(
    secret: str, *, sub: str, now: datetime, ttl: timedelta, scope: str | None = None, act: str | None = None
) -> str:
    """A user's JWT. ``scope``: space separated; ``act``: who acts for the user, a robot (RFC 8693 §4.1)."""
    claims: dict[str, Any] = {"sub": sub, "iat": now, "exp": now + ttl}
    if scope is not None:
        claims["scope"] = scope
    if act is not None:
        claims["act"] = {"sub": act}
    return jwt.encode(claims, secret, algorithm="HS256")


def issued(neighbours_url: str, *, sub: str, ttl: timedelta, scope: str | None = None, act: str | None = None) -> str:
    """The same from EV Pass, which signs with ES256. Raises ``StackError`` where it does not answer."""
    wish: dict[str, Any] = {"sub": sub, "ttl": int(ttl.total_seconds())}
    if scope is not None:
        wish["scope"] = scope
    if act is not None:
        wish["act"] = {"sub": act}
    try:
        answer = httpx.post(f"{neighbours_url}/admin/evpass/token", json=wish, timeout=10, trust_env=False)
        token: str = answer.raise_for_status().json()["token"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise StackError("evpass_silent", f"EV Pass at {neighbours_url} gives no token: {error}") from None
    return token
