"""Development user tokens, signed with the stack's own secret (HS256; production takes JWKS only)."""

from datetime import datetime, timedelta
from typing import Any

import jwt

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
