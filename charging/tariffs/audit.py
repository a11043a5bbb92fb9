"""The audit of a CDR: the CPO's bill against its own tariff, ours, and what can have happened. Pure.

Three prices are compared, in total and by dimension: what the CDR asks for, what the Tariff inside it gives, and what
the Tariff gives that was in force when the session started, which is what the driver agreed to. Beside that: whether
the parts make up the total, whether the energy agrees with its periods, with the Session's updates and with what the
connector can deliver, whether times agree, and the currency. Signed meter data is neither read nor changed here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from charging.money import from_minor
from charging.tariffs.check import Priced, Verdict, priced
from charging.tariffs.comparison import Asked, Difference, Tolerance, comparable, compare, read_asked, sums_up
from charging.tariffs.numbers import number
from charging.tariffs.rating import Rating
from charging.tariffs.rules import DEFAULT_RULES, TariffRules
from charging.tariffs.usage import MICROSECONDS_PER_HOUR, PHASES, UnreadableUsage, Usage, read_usage

_THEIRS: Final = "the tariff in the CDR"
_OURS: Final = "the tariff at the start"
_NOTHING: Final = Decimal(0)


class AuditPolicy(BaseModel):
    """What is close enough, and what is paid although it is not.

    A CDR may ask for ``pay_minor_units`` (0.50 EUR) or ``pay_share`` more than it should, whichever is more, and is
    paid and flagged; beyond that it waits for a person. Less than it should is always paid. Energies agree within
    ``energy_kwh`` or ``energy_share``, times within ``time_h`` or ``tolerance.share``; a connector may deliver
    ``power_share`` of its rated power for as long as the session lasts.
    """

    model_config = ConfigDict(frozen=True)

    tolerance: Tolerance = Tolerance()
    pay_minor_units: int = 50
    pay_share: Decimal = Decimal("0.05")
    energy_kwh: Decimal = Decimal("0.1")
    energy_share: Decimal = Decimal("0.01")
    time_h: Decimal = Decimal("0.02")
    power_share: Decimal = Decimal("1.1")


DEFAULT_POLICY: Final = AuditPolicy()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What we know of a session that the CPO's CDR does not decide; None is not known.

    ``tariff`` is our snapshot at the start (canonical body), ``zone`` the Location's, ``currency`` the session's,
    ``pushed_kwh`` the energy that the CPO gave of a COMPLETED Session, ``max_power_kw`` the connector's.
    """

    tariff: dict[str, Any] | None = None
    zone: ZoneInfo | None = None
    currency: str | None = None
    pushed_kwh: Decimal | None = None
    max_power_kw: Decimal | None = None
    reservation_expired: bool = False


class CdrAudit(BaseModel):
    """The verdict on a CDR. ``payable``: it matches, or what is wrong is within policy, or nobody can tell."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    payable: bool
    differences: list[Difference] = []


def audit_cdr(
    cdr: dict[str, Any],
    evidence: Evidence,
    rules: TariffRules = DEFAULT_RULES,
    policy: AuditPolicy = DEFAULT_POLICY,
) -> CdrAudit:
    """The verdict on a canonical (2.2.1) CDR. Never raises: what makes no sense is a mismatch that is not paid."""
    try:
        asked, usage = read_asked(cdr), read_usage(cdr)
        impossible = [*_facts(cdr, asked, usage, evidence, policy)]
    except (UnreadableUsage, ValueError) as error:
        detail = str(error) if isinstance(error, UnreadableUsage) else "its totals cannot be read"
        return CdrAudit(verdict="mismatch", payable=False, differences=[Difference(code="unreadable", detail=detail)])
    prices = _prices(cdr, usage, evidence, rules)
    apart, unknown = _apart(asked, prices, policy)
    bounds = [bound for _, price in prices if price.rating for bound in price.rating.bounds]
    sums = sums_up(asked, policy.tolerance, tuple(bounds))
    if impossible or sums or apart:
        # Times that disagree change no price by themselves: a flag, not a reason to wait.
        blocking = [*sums, *(difference for difference in impossible if difference.code != "time")]
        within = not blocking and _within(asked, _reference(prices), policy)
        return CdrAudit(verdict="mismatch", payable=within, differences=[*impossible, *sums, *apart, *unknown])
    known = any(price.rating and price.doubt is None and comparable(asked, price.rating) for _, price in prices)
    return CdrAudit(verdict="match" if known else "unverifiable", payable=True, differences=unknown)


def rated(cdr: dict[str, Any], evidence: Evidence, rules: TariffRules = DEFAULT_RULES) -> Rating | None:
    """A canonical (2.2.1) CDR by our Tariff, else by its own; None where nobody can tell what it should cost."""
    try:
        return _reference(_prices(cdr, read_usage(cdr), evidence, rules))
    except UnreadableUsage:
        return None


def _prices(cdr: dict[str, Any], usage: Usage, evidence: Evidence, rules: TariffRules) -> list[tuple[str, Priced]]:
    """The prices by the CDR's tariffs and by ours, as far as there are any; ours last, because it decides."""
    own = cdr.get("tariffs")
    sources: list[tuple[str, Sequence[Any]]] = [(_THEIRS, own if isinstance(own, list) else [])]
    sources.append((_OURS, [evidence.tariff] if evidence.tariff else []))
    expired = evidence.reservation_expired
    return [
        (name, priced(usage, tariffs, evidence.zone, rules, reservation_expired=expired))
        for name, tariffs in sources
        if tariffs
    ]


def _apart(
    asked: Asked, prices: Sequence[tuple[str, Priced]], policy: AuditPolicy
) -> tuple[list[Difference], list[Difference]]:
    """What differs from each price, and the prices that nobody can tell."""
    apart: list[Difference] = []
    unknown = [] if prices else [Difference(code="unknown_price", detail="there is no tariff to check it by")]
    for name, price in prices:
        if price.doubt is not None:
            unknown.append(Difference(code="unknown_price", detail=f"{name}: {price.doubt}"))
        if price.rating is not None and price.doubt is None:
            apart += compare(asked, price.rating, policy.tolerance, name)
    apart += _between_tariffs([price.rating for _, price in prices if price.rating], policy)
    return apart, unknown


def _between_tariffs(ratings: Sequence[Rating], policy: AuditPolicy) -> Iterator[Difference]:
    if len(ratings) == 2 and ratings[0].currency == ratings[1].currency:
        (theirs, ours), currency = (rating.rounded.due for rating in ratings), ratings[0].currency
        if not policy.tolerance.agree(theirs, ours, currency):
            detail = f"{_THEIRS} makes {theirs} {currency}, {_OURS} {ours}: they are not the same"
            yield Difference(code="tariff", detail=detail)


def _reference(prices: Sequence[tuple[str, Priced]]) -> Rating | None:
    ratings = [price.rating for _, price in prices if price.rating and price.doubt is None]
    return ratings[-1] if ratings else None


def _within(asked: Asked, reference: Rating | None, policy: AuditPolicy) -> bool:
    """Whether the CPO asks for so little too much that it is paid."""
    if reference is None or asked.total is None or (asked.currency or reference.currency) != reference.currency:
        return False
    right = reference.rounded
    pairs = ((asked.total.incl, right.incl), (asked.total.excl, right.excl))
    for theirs, mine in pairs:
        if theirs is not None and mine is not None:
            allowed = max(from_minor(policy.pay_minor_units, reference.currency), policy.pay_share * mine)
            return abs(theirs) - mine <= allowed
    return False


# ---- What can have happened ---------------------------------------------------------------------------------------


def _facts(
    cdr: dict[str, Any], asked: Asked, usage: Usage, evidence: Evidence, policy: AuditPolicy
) -> Iterator[Difference]:
    """Whatever is wrong with a CDR apart from its prices. Raises ``ValueError`` where a total is no number."""
    if evidence.currency and asked.currency and asked.currency != evidence.currency.upper():
        yield Difference(code="currency", detail=f"it is in {asked.currency}, the session in {evidence.currency}")
    if asked.total is not None and not cdr.get("credit") and min(asked.total.excl or 0, asked.total.incl or 0) < 0:
        yield Difference(code="total", detail="a negative total without credit")
    energy, hours = (None if cdr.get(name) is None else number(cdr[name]) for name in ("total_energy", "total_time"))
    if energy is not None:
        yield from _energy(energy, usage, evidence, policy)
    in_periods = sum((usage.hours(phase) for phase in PHASES), _NOTHING)
    if hours is not None and abs(hours - in_periods) > max(policy.time_h, policy.tolerance.share * abs(hours)):
        yield Difference(code="time", detail=f"total_time is {hours} h, its periods have {float(in_periods):.6g} h")


def _energy(energy: Decimal, usage: Usage, evidence: Evidence, policy: AuditPolicy) -> Iterator[Difference]:
    slack = max(policy.energy_kwh, policy.energy_share * abs(energy))
    if energy < 0:
        yield Difference(code="energy", detail="total_energy is negative")
    if abs(energy - usage.kwh) > slack:
        yield Difference(code="energy", detail=f"total_energy is {energy} kWh, its periods have {usage.kwh} kWh")
    if evidence.pushed_kwh is not None and abs(energy - evidence.pushed_kwh) > slack:
        detail = f"total_energy is {energy} kWh, the session's last update said {evidence.pushed_kwh} kWh"
        yield Difference(code="energy", detail=detail)
    length = Decimal(usage.stretches[-1].end - usage.started) / MICROSECONDS_PER_HOUR
    if evidence.max_power_kw is not None and length > 0:
        possible = evidence.max_power_kw * policy.power_share * length + slack
        if energy > possible:
            words = f"{evidence.max_power_kw} kW deliver at most {float(possible):.6g} kWh in {float(length):.6g} h"
            yield Difference(code="energy", detail=f"total_energy is {energy} kWh, but {words}")
