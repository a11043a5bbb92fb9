"""``/v1/admin/curves``: curves of prices and of CO2 that plans rest on. ``X-API-Key`` on all of it.

A curve is uploaded (JSON or CSV, as ``charging.planning.curves`` reads them), or fetched from a URL that serves the
same. It holds for the chargers of a Location, of a connection, or for all.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from api import documentation as doc
from api import workflow_calls
from api.admin import require_admin
from api.branch import Branch
from api.problems import invalid, invalid_field
from api.services import Services
from api.strict_json import parse, read_limited, require_json
from charging.curve_refresher import MAX_BYTES, usable
from charging.errors import Problem
from charging.ocpi.peer_url import UnusablePeerUrl, check_peer_url
from charging.planning.publication import CurveKind
from charging.store.curves import CurveStore, StoredCurve

router = Branch(
    prefix="/v1/admin/curves",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses=doc.problems("unauthorized", "service_unavailable"),
)

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class CurveTerms(BaseModel):
    """What a curve is, and of which chargers. ``currency``: where the points do not say it themselves."""

    model_config = ConfigDict(extra="forbid")

    kind: CurveKind
    connection: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    location: Annotated[str, Field(min_length=1, max_length=36)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None

    @model_validator(mode="after")
    def _location_of_a_connection(self) -> "CurveTerms":
        if self.location is not None and self.connection is None:
            raise PydanticCustomError("location_without_connection", "A location needs its connection.")
        return self


class CurveSource(CurveTerms):
    """A curve that is published at ``url``."""

    url: Annotated[str, Field(min_length=1, max_length=255)]


class PointView(BaseModel):
    """From ``start`` to ``end`` a kWh costs ``price``; of a carbon curve: it emits so many grams of CO2."""

    start: datetime
    end: datetime
    price: float


class CurveView(BaseModel):
    """A curve without its points, of which there are ``size`` from ``known_from`` to ``known_until``.

    ``fetched_at``: when they came; ``checked_at``: when the URL was last asked, and ``last_error`` what was wrong then.
    """

    name: str
    kind: CurveKind
    currency: str | None
    url: str | None
    connection: str | None
    location: str | None
    size: int
    known_from: datetime | None
    known_until: datetime | None
    etag: str | None
    fetched_at: datetime | None
    checked_at: datetime | None
    last_error: str | None


class CurveList(BaseModel):
    """All curves, by name."""

    curves: list[CurveView]


class WholeCurve(CurveView):
    """A curve with its points."""

    points: list[PointView]


class CurveRefreshed(CurveView):
    """A curve that was asked for just now. ``changed``: the points are others than before."""

    changed: bool


def _put_words() -> dict[str, Any]:
    """The body of a PUT, and the query that goes with points."""
    source = CurveSource.model_json_schema()
    terms = CurveTerms.model_json_schema()
    query = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in terms["properties"].items()
    ]
    points = {"type": "array", "items": {"type": "object"}, "description": "What they are is said in the query."}
    upload = {"type": "object", "required": ["points"], "properties": {"points": points}}
    content = {
        "application/json": {"schema": {"anyOf": [source, upload, points]}},
        "text/csv": {"schema": {"type": "string"}},
    }
    return {"parameters": query, "requestBody": {"required": True, "content": content}}


@router.put(
    "/{name}",
    responses={201: {"model": CurveView}, **doc.problems(*doc.BODY_CODES, "url_not_allowed")},
    openapi_extra=_put_words(),
)
async def put_curve(request: Request, response: Response, name: Name) -> CurveView:
    """The points themselves, with what they are in the query; or a URL where they are published.

    A curve of this name is replaced. A URL is asked within seconds, and from then on by itself.
    """
    raw = await read_limited(request, MAX_BYTES)
    is_csv = _is_csv(request)
    body = None if is_csv else parse(raw)
    if isinstance(body, dict) and body.get("url") is not None:
        curve = await _published(request, name, _valid(CurveSource, body))
    else:
        terms = _valid(CurveTerms, dict(request.query_params))
        curve = await _uploaded(request, name, terms, raw, is_csv=is_csv)
    is_new = await _store(request).put(curve, datetime.now(UTC))
    response.status_code = 201 if is_new else 200
    return await _view_of(request, curve)


@router.get("")
async def list_curves(request: Request) -> CurveList:
    """All curves, by name."""
    names = await _connection_names(request)
    return CurveList(curves=[_view(curve, names) for curve in await _store(request).all()])


@router.get("/{name}", responses=doc.problems("curve_not_found", "validation_error"))
async def read_curve(request: Request, name: Name) -> WholeCurve:
    """One curve, with its points."""
    curve = await _named(request, name)
    points = [PointView(start=slot.start, end=slot.end, price=float(slot.price)) for slot in curve.slots]
    return WholeCurve(**(await _view_of(request, curve)).model_dump(), points=points)


@router.delete("/{name}", status_code=204, responses=doc.problems("curve_not_found", "validation_error"))
async def delete_curve(request: Request, name: Name) -> Response:
    """Forget a curve. Plans that rest on it are made anew."""
    if not await _store(request).remove(name, datetime.now(UTC)):
        raise _absent()
    return Response(status_code=204)


@router.post(
    "/{name}/refresh",
    responses=doc.problems("curve_not_found", "validation_error", "curve_not_published", "refresh_still_running"),
)
async def refresh_curve(request: Request, name: Name) -> CurveRefreshed:
    """Fetch a curve now. What went wrong is in ``last_error``; the last known good curve stays."""
    curve = await _named(request, name)
    if curve.url is None:
        raise Problem(409, "curve_not_published", "This curve was uploaded; there is no URL to fetch it from.")
    news = await workflow_calls.refresh_curve(_services(request).temporal, name)
    view = await _view_of(request, await _named(request, name))
    return CurveRefreshed(**view.model_dump(), changed=news.changed)


async def _published(request: Request, name: str, source: CurveSource) -> StoredCurve:
    """The curve as it will be fetched; with the points that are known already where only its terms change."""
    try:
        await check_peer_url(source.url, allow_private=_services(request).settings.allow_private_peers)
    except UnusablePeerUrl as error:
        raise Problem(422, "url_not_allowed", f"This URL is not fetched: {error}.") from error
    before = await _store(request).get(name)
    is_same = before is not None and (before.url, before.kind) == (source.url, source.kind)
    if before is None or not is_same or source.currency not in (None, before.currency):
        before = StoredCurve(name, source.kind, source.currency, source.url)
    return await _placed(request, before, source)


async def _uploaded(request: Request, name: str, terms: CurveTerms, raw: bytes, *, is_csv: bool) -> StoredCurve:
    try:
        # Thousands of points take a while; others are served meanwhile.
        points = await asyncio.to_thread(usable, terms.kind, raw, is_csv=is_csv, currency=terms.currency)
    except ValueError as error:
        raise invalid_field("body", "unusable_curve", str(error)) from None
    currency = terms.currency or points.currency
    curve = StoredCurve(name, terms.kind, currency, slots=points.slots, fetched_at=datetime.now(UTC))
    return await _placed(request, curve, terms)


async def _placed(request: Request, curve: StoredCurve, terms: CurveTerms) -> StoredCurve:
    """``curve`` for the chargers that ``terms`` name. Raises ``Problem`` 422 for a connection that is not there."""
    if terms.connection is None:
        return replace(curve, connection_id=None, location_id=None)
    connections = _services(request).connections
    connection = await connections.by_name(terms.connection) or await connections.get(terms.connection)
    if connection is None:
        raise invalid_field("connection", "connection_not_found", "There is no such connection.")
    return replace(curve, connection_id=connection.id, location_id=terms.location)


def _is_csv(request: Request) -> bool:
    """Whether the body says that it is CSV. Raises ``Problem`` 415 where it is neither that nor JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/csv":
        return True
    require_json(request)
    return False


def _valid(model: type[Model], data: Any) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False, include_context=False)) from None


async def _named(request: Request, name: str) -> StoredCurve:
    curve = await _store(request).get(name)
    if curve is None:
        raise _absent()
    return curve


def _absent() -> Problem:
    return Problem(404, "curve_not_found", "There is no such curve.")


async def _view_of(request: Request, curve: StoredCurve) -> CurveView:
    return _view(curve, await _connection_names(request))


async def _connection_names(request: Request) -> dict[str, str]:
    return {connection.id: connection.name for connection in await _services(request).connections.list()}


def _view(curve: StoredCurve, connections: dict[str, str]) -> CurveView:
    return CurveView(
        name=curve.name,
        kind=curve.kind,
        currency=curve.currency,
        url=curve.url,
        connection=connections[curve.connection_id] if curve.connection_id else None,
        location=curve.location_id,
        size=len(curve.slots),
        known_from=curve.slots[0].start if curve.slots else None,
        known_until=curve.horizon,
        etag=curve.etag,
        fetched_at=curve.fetched_at,
        checked_at=curve.checked_at,
        last_error=curve.last_error,
    )


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _store(request: Request) -> CurveStore:
    return CurveStore(_services(request).database)
