"""Token and AuthorizationInfo of OCPI 2.1.1 (mod_tokens). Pure."""

from typing import Any, Final

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import mapped, renamed
from charging.ocpi.wire import Party

_TYPE: Final = {"AD_HOC_USER": "OTHER", "APP_USER": "OTHER", "EMAID": "OTHER"}


def read_token(body: Body, owner: Party | None) -> Body:
    """``auth_id`` is the contract id; the owner is the peer."""
    body = renamed(body, {"auth_id": "contract_id"})
    if owner is None or body.get("uid") is None or body.get("country_code"):
        return body
    return {"country_code": owner.country_code, "party_id": owner.party_id, **body}


def write_token(body: Body) -> Body:
    """A Token of type RFID or OTHER: 2.1.1 knows no others."""
    auth_id = auth_id_of(body)
    body = mapped(body, "type", _TYPE)
    return body if auth_id is None else {**body, "auth_id": auth_id}


def auth_id_of(token: Body) -> Any:
    """What Sessions and CDRs will name: the contract, but of a one-time Token its uid.

    ``auth_id`` is the only word of a 2.1.1 Session about its Token, so it has to be unique to ours.
    """
    if token.get("type") == "AD_HOC_USER" and token.get("uid") is not None:
        return token["uid"]
    return token.get("contract_id") if token.get("contract_id") is not None else token.get("uid")
