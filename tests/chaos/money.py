"""What whoever keeps the money says of a run: the engine's own wallet, or the neighbours EV Pass and Payments."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from charging.bootstrap.neighbours import Payments
from charging.money import to_minor
from tests.chaos.processes import Fleet

Json = dict[str, Any]


class Money(NamedTuple):
    """By session, in minor units: what it has paid, what is held for it, and all that was ever charged."""

    paid: Mapping[str, int]
    held: Mapping[str, int]
    captured: Mapping[str, int]


async def read_money(fleet: Fleet, ledger: Sequence[Json]) -> Money:
    """By the books of the payer of this run; those of the wallet are our ``ledger``."""
    match fleet.setup.payments:
        case Payments.PAYMENTS:
            return _of_payments(await _books(fleet, "payments"))
        case Payments.EVPASS:
            return _of_evpass(await _books(fleet, "evpass"))
        case Payments.WALLET:
            return _of_wallet(ledger)


def unbalanced(ledger: Sequence[Json]) -> list[str]:
    """The transfers whose legs do not add up to 0."""
    sums: Counter[str] = Counter()
    for leg in ledger:
        sums[leg["transfer_key"]] += leg["amount_minor"]
    return [key for key, amount in sums.items() if amount]


async def _books(fleet: Fleet, keeper: str) -> Json:
    answer = await fleet.http.get(f"{fleet.recipe.neighbours_url}/admin/{keeper}", timeout=60)
    books: Json = json.loads(answer.raise_for_status().content, parse_float=Decimal)
    return books


def _of_wallet(ledger: Sequence[Json]) -> Money:
    balances: dict[str, Counter[str]] = {"paid": Counter(), "held": Counter()}
    captured: Counter[str] = Counter()
    for leg in ledger:
        session_id, _, account = leg["account"].removeprefix("session/").rpartition("/")
        if account in balances and session_id:
            balances[account][session_id] += leg["amount_minor"]
        if account == "paid":
            captured[session_id] += max(leg["amount_minor"], 0)
    return Money(balances["paid"], balances["held"], captured)


def _of_payments(books: Json) -> Money:
    """Payments keeps no holds."""
    paid: Counter[str] = Counter()
    captured: Counter[str] = Counter()
    for movement in books["movements"]:
        if movement["status"] == "succeeded":
            is_charge = movement["object"] == "payment_intent"
            amount = to_minor(Decimal(movement["amount"]), movement["currency"])
            paid[movement["booking_id"]] += amount if is_charge else -amount
            captured[movement["booking_id"]] += amount if is_charge else 0
    return Money(paid, {}, captured)


def _of_evpass(books: Json) -> Money:
    paid: Counter[str] = Counter()
    held: Counter[str] = Counter()
    captured: Counter[str] = Counter()
    for pocket in books["sessions"]:
        session_id = pocket["session_id"]
        own = {name: to_minor(Decimal(pocket[name]), pocket["currency"]) for name in ("held", "captured", "refunded")}
        held[session_id] += own["held"]
        captured[session_id] += own["captured"]
        paid[session_id] += own["captured"] - own["refunded"]
    return Money(paid, held, captured)
