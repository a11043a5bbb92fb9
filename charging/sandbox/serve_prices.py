"""A power market's price list, for whoever plans by it; no part of OCPI, and open to all.

- ``GET /prices``  of today and, from 12:00 UTC on, of tomorrow (see ``prices``), with an ETag
- ``POST /admin/prices`` ``{"prices": [24 numbers]}``  other prices for each hour of the day, from now on
"""

from hashlib import sha256

from fastapi import APIRouter, Request, Response

from charging.ocpi import wire
from charging.sandbox import clock
from charging.sandbox.prices import DayPrices, price_list
from charging.sandbox.speaking import cpo_of

router = APIRouter()


@router.get("/prices")
async def prices(request: Request) -> Response:
    """The price list as it is now."""
    body = wire.dumps(price_list(cpo_of(request).prices, clock.now()))
    etag = f'"{sha256(body).hexdigest()[:16]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, media_type="application/json", headers={"ETag": etag})


@router.post("/admin/prices")
async def replace_prices(request: Request, wanted: DayPrices) -> Response:
    """Other prices from now on."""
    cpo_of(request).set_prices(wanted)
    return await prices(request)
