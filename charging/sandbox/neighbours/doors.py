"""Who may come in: whoever knows the API key."""

import hmac

from fastapi import HTTPException, Request


def known_caller(request: Request) -> None:
    """401 without the API key."""
    key: str = request.app.state.settings.api_key.get_secret_value()
    if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), key.encode()):
        raise HTTPException(401)
