"""``POST /v1/quotes``: what a charge would cost, before it starts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api import documentation as doc
from api.auth import READ, User, authenticated
from api.desk import desk_of
from api.problems import invalid_field
from api.quote_schemas import QuoteAnswer, QuoteRequest
from api.starting import evse_not_found, require_connector
from api.strict_json import strict_body
from charging.ocpi.wire import plain
from charging.quoting import PricedCharge

LATE: Final = timedelta(minutes=5)  # clocks differ
AHEAD: Final = timedelta(days=366)

router = APIRouter(
    tags=["Plans"],
    responses=doc.problems("unauthorized", "insufficient_scope", "service_unavailable"),
)

Reader = Annotated[User, Depends(authenticated(READ, costly=True))]
QuoteBody = Annotated[QuoteRequest, Depends(strict_body(QuoteRequest))]


@router.post(
    "/v1/quotes",
    response_model=QuoteAnswer,
    summary="What a charge would cost",
    responses=doc.problems(*doc.BODY_CODES, "evse_not_found", "connector_not_available"),
    openapi_extra=doc.body(QuoteRequest),
)
async def quote(request: Request, user: Reader, body: QuoteBody) -> Response:
    """By the prices that hold there. An unknown price is no error: `total_cost` is null then. Starts nothing."""
    desk, now = desk_of(request), datetime.now(UTC)
    start = body.start_time or now.replace(microsecond=0)
    if not now - LATE <= start <= now + AHEAD:
        raise invalid_field("start_time", "start_out_of_range", "Must be from now on, within a year.")
    match = await desk.refresh.find(body.evse_id, body.place)
    if match is None:
        raise evse_not_found()
    connector = require_connector(body.connector_type, match)
    priced = await desk.quoter.quote(
        match,
        connector,
        kwh=body.energy_kwh,
        max_kw=body.max_charge_rate_kw,
        start=start,
        duration=None if body.duration_minutes is None else timedelta(minutes=body.duration_minutes),
    )
    place = {"evse_id": body.evse_id, "network": match.connection.network, "connector_type": connector.plug}
    return Response(json.dumps({**place, **_answer(priced)}), media_type="application/json")


def _answer(priced: PricedCharge) -> dict[str, Any]:
    charge = priced.charge
    answer: dict[str, Any] = plain(
        {
            "energy_kwh": charge.kwh,
            "missing_kwh": charge.missing_kwh,
            "start_time": charge.start,
            "charged_time": charge.charged,
            "end_time": charge.end,
            "total_cost": {"excl_vat": priced.excl_vat, "incl_vat": priced.incl_vat} if priced.is_known else None,
            "currency": priced.currency,
            "lines": [vars(line) for line in priced.lines],
            "assumptions": priced.assumptions,
            "warnings": _warnings(priced),
            "price_source": priced.source,
            "tariff_id": priced.tariff_id,
            "valid_until": priced.valid_until,
        }
    )
    return answer


def _warnings(priced: PricedCharge) -> list[dict[str, str]]:
    found = []
    if priced.unknown is not None:
        found.append({"code": "price_unknown", "detail": priced.unknown})
    if priced.charge.missing_kwh:
        short = f"{float(priced.charge.missing_kwh):g} kWh do not fit into the time; they are not in the price."
        found.append({"code": "too_short", "detail": short})
    return found
