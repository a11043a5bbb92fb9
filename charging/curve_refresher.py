"""Fetches a curve from where it is published. What cannot be fetched or read leaves the last known good one.

The endpoint answers a GET with JSON or CSV (``charging.planning.curves``); an ``ETag`` saves it from saying so twice.
"""

import logging
from datetime import UTC, datetime
from typing import Any, Final

from charging.errors import PeerError
from charging.ocpi.peers import Peers
from charging.planning.curves import Curve, curve_from_csv, curve_from_json
from charging.planning.publication import CurveNews, CurveRefresh, is_due, merged
from charging.store.curves import CurveStore, StoredCurve
from charging.store.engine import Database

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 1024 * 1024  # a year of hours
MAX_SLOTS: Final = 10_000
MAX_ETAG: Final = 255


class UnusableCurve(ValueError):
    """What was sent as a curve is none. Says why, never echoes it."""


class CurveRefresher:
    """Keeps curves as they are published. Safe to repeat at every step."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self._store = CurveStore(database)
        self._transport = peers.transport

    async def refresh(self, wish: CurveRefresh) -> CurveNews | None:
        """Fetch a curve if its turn has come or if it was asked for; None where there is nothing to fetch any more."""
        curve, now = await self._store.get(wish.name), datetime.now(UTC)
        if curve is None or curve.url is None:
            return None
        failed = curve.last_error is not None
        if not (wish.asked or is_due(now, checked_at=curve.checked_at, failed=failed, horizon=curve.horizon)):
            return CurveNews()
        try:
            changes = await self._fetch(curve, curve.url, now)
        except (PeerError, ValueError) as error:
            why = str(error)[:500]
            logger.warning("a curve was not fetched", extra={"curve": curve.name, "why": why})
            await self._store.renew(curve.name, curve.url, now, last_error=why)
            return CurveNews(error=why)
        return CurveNews(changed=await self._store.renew(curve.name, curve.url, now, last_error=None, **changes))

    async def _fetch(self, curve: StoredCurve, url: str, now: datetime) -> dict[str, Any]:
        """What is new. Raises ``PeerError``, or ``ValueError`` where the answer is no curve for this one."""
        known = {"If-None-Match": curve.etag} if curve.etag else {}
        status, headers, body = await self._transport.fetch(url, {"Accept": "application/json, text/csv", **known})
        if status == 304 and curve.etag:
            return {}
        if status != 200:
            raise UnusableCurve(f"HTTP {status}")
        is_csv = "csv" in headers.get("content-type", "").lower()
        news = usable(curve.kind, body, is_csv=is_csv, currency=curve.currency)
        etag = headers.get("etag", "")
        return {
            "slots": merged(curve.slots, news.slots, now),
            "currency": curve.currency or news.currency,
            "etag": etag if 0 < len(etag) <= MAX_ETAG and etag.isascii() and etag.isprintable() else None,
            "fetched_at": now,
        }


def usable(kind: str, body: bytes, *, is_csv: bool, currency: str | None) -> Curve:
    """``body`` as a curve. Raises ``ValueError`` where it is none, or one of prices in no or another ``currency``."""
    if len(body) > MAX_BYTES:
        raise UnusableCurve("the curve is too large")
    curve = (curve_from_csv if is_csv else curve_from_json)(_text(body))
    if len(curve.slots) > MAX_SLOTS:
        raise UnusableCurve(f"the curve has more than {MAX_SLOTS} slots")
    if kind == "price" and currency is None and curve.currency is None:
        raise UnusableCurve("the curve does not say in which currency its prices are")
    if kind == "price" and None not in (currency, curve.currency) and currency != curve.currency:
        raise UnusableCurve("the curve is in another currency than before")
    return curve


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableCurve("the curve is not text in UTF-8") from None
