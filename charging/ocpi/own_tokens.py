"""The OCPI Tokens that we give out (OCPI 2.2.1 §12.3.2): one for a single session, or stable ones of a user."""

import hashlib
import hmac
import secrets
import string
from datetime import datetime
from typing import Any, Final

from charging.ocpi.models import Token, to_wire
from charging.settings import Settings

ONE_TIME: Final = "AD_HOC_USER"
APP_USER: Final = "APP_USER"
RFID: Final = "RFID"

# OCPP 1.6 gives an idTag 20 characters, and CPOs copy the token's uid into it.
_UID_LENGTH: Final = 20
_UID_ALPHABET: Final = string.ascii_uppercase + string.digits


def new_uid() -> str:
    """A fresh uid that nobody guesses."""
    return "".join(secrets.choice(_UID_ALPHABET) for _ in range(_UID_LENGTH))


def one_time_token(settings: Settings, user_id: str, now: datetime, contract: str | None = None) -> dict[str, Any]:
    """A Token for one session: the link that survives CPOs that drop ``authorization_reference``.

    ``contract``: the user's contract id, where its issuer has told us; else one of our own.
    """
    given = {"contract_id": contract} if contract else {}
    return own_token(settings, user_id, now, uid=new_uid(), type=ONE_TIME, whitelist="NEVER", **given)


def own_token(settings: Settings, user_id: str, now: datetime, **fields: Any) -> dict[str, Any]:
    """A valid Token of ours for a user, as OCPI writes it. ``fields``: uid, type, whitelist and what else it has."""
    given = {
        "country_code": settings.country_code,
        "party_id": settings.party_id,
        "contract_id": contract_id(settings, user_id),
        "issuer": settings.business_name,
        "valid": True,
        "last_updated": now,
        **fields,
    }
    return to_wire(Token.model_validate(given))


def contract_id(settings: Settings, user_id: str) -> str:
    """The contract that all tokens of a user share."""
    return f"{settings.country_code}-{settings.party_id}-C{user_key(settings, user_id)[:8].upper()}"


def user_key(settings: Settings, user_id: str) -> str:
    """A keyed hash of the user: search attributes and OCPI tokens are read by others."""
    secret = settings.secret_keys.get_secret_value().split(",")[0].strip()
    return hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()[:32]
