"""``/v1/evses``: for robots that look before they drive. What is not told is null; an unknown price is not free."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import documentation as doc
from api.auth import READ, User, authenticated
from api.branch import Branch
from api.desk import desk_of
from api.schemas import MAX_KW, EvseAnswer, NearbyAnswer, Text, Whereabouts
from api.starting import evse_not_found
from charging.ocpi.evse_id import EvseConnector
from charging.ocpi.geo import Point
from charging.ocpi.location_object import Body
from charging.ocpi.wire import format_datetime, plain
from charging.store.evse_match import EvseMatch
from charging.store.evses_nearby import MAX_RADIUS_M, Wish

router = Branch(
    prefix="/v1/evses",
    tags=["EVSEs"],
    responses=doc.problems("unauthorized", "insufficient_scope", "validation_error", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ))]


class EvseQuery(Whereabouts):
    """Where the EVSE is, for one that has no EVSE id."""

    model_config = ConfigDict(extra="forbid")


class NearbyQuery(BaseModel):
    """Where to look, and for what; unknown filters are refused, for a misspelt one would show everything."""

    model_config = ConfigDict(extra="forbid")

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84.")
    lng: float = Field(ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84.")
    radius_m: float = Field(2_000, gt=0, le=MAX_RADIUS_M, allow_inf_nan=False, description="As the crow flies.")
    connector_type: (
        Annotated[Text, Field(min_length=1, max_length=40, description="CCS, CHAdeMO, …, or an OCPI ConnectorType.")]
        | None
    ) = None
    available: bool | None = Field(None, description="true: AVAILABLE ones; false: the others.")
    min_power_kw: float | None = Field(None, ge=0, le=MAX_KW, allow_inf_nan=False)
    limit: int = Field(20, ge=1, le=100)


@router.get("", response_model=NearbyAnswer, summary="EVSEs nearby, nearest first")
async def list_evses(request: Request, user: Reader, query: Annotated[NearbyQuery, Query()]) -> Response:
    """Those that may be shown publicly, within `radius_m`; `truncated` where there are more than `limit`."""
    wish = Wish(query.connector_type, query.available, query.min_power_kw)
    nearby = await desk_of(request).nearby.search(Point(query.lat, query.lng), query.radius_m, wish, query.limit)
    now = datetime.now(UTC)
    found = [{**_answer(match, now), "distance_m": round(metres, 1)} for metres, match in nearby.evses]
    return _json({"evses": found, "truncated": nearby.is_cut})


@router.get(
    "/{evse_id:path}",
    response_model=EvseAnswer,
    summary="One EVSE",
    responses=doc.problems("evse_not_found"),
)
async def read_evse(request: Request, evse_id: str, user: Reader, query: Annotated[EvseQuery, Query()]) -> Response:
    """By its EVSE id in any spelling. An unknown one makes us ask the CPO for its news, for 3 s at most."""
    match = await desk_of(request).refresh.find(evse_id, query.place)
    if match is None:
        raise evse_not_found()
    return _json(_answer(match, datetime.now(UTC)))


def _answer(match: EvseMatch, now: datetime) -> dict[str, Any]:
    where = match.position
    return {
        "evse_id": match.evse_id,
        "evse_uid": match.evse_uid,
        "network": match.connection.network,
        "status": match.status,
        "last_updated": format_datetime(match.last_updated),
        "coordinates": {"latitude": where.latitude, "longitude": where.longitude} if where else None,
        "physical_reference": match.body.get("physical_reference"),
        "location": _location(match),
        "connectors": [_connector(connector, match.tariff_of(connector, now)) for connector in match.connectors],
        "capabilities": list(match.capabilities),
        # A missing capability says little: lists are often incomplete.
        "remote_start": True if "REMOTE_START_STOP_CAPABLE" in match.capabilities else None,
        "profile_capable": match.takes_profiles,
    }


def _location(match: EvseMatch) -> dict[str, Any]:
    told = {name: match.location.get(name) for name in ("name", "address", "city", "postal_code", "country")}
    return {
        "country_code": match.country_code,
        "party_id": match.party_id,
        "id": match.location_id,
        **told,
        "time_zone": match.time_zone,
        "opening_times": match.location.get("opening_times"),
        "charging_when_closed": match.location.get("charging_when_closed") is not False,
    }


def _connector(connector: EvseConnector, tariff: Body | None) -> dict[str, Any]:
    return {
        "id": connector.id,
        "connector_type": connector.plug,
        "standard": connector.standard,
        "format": connector.format,
        "power_type": connector.power_type,
        "max_power_kw": connector.max_power_w / 1000,
        "tariff": tariff,
    }


def _json(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(plain(answer)), media_type="application/json")
