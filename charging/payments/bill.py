"""What a session owes, from all of its CDRs.

Pure. The whole set of CDRs is judged anew each time, so their order of arrival does not matter:

====================================================  =========================================================
a CDR                                                 is billed
a Credit CDR (§10.3.1 ``credit``)                     takes its original back, whatever sign its total has
a Credit CDR before its original                      waits
a CDR after its predecessor was credited              is billed: the receipt's next version
a second CDR while the first is not credited          quarantine
parts that do not add up, another currency, a
negative total without credit, unreadable             quarantine
====================================================  =========================================================

Quarantine is for people: such a CDR is neither dropped nor charged. While it is all a session has, there is no
receipt, and the hold stays until a person decides or the session gives its CDR up at the deadline (``cdr_s``).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from charging.money import round_money
from charging.payments.cdr import Cdr, Price, Unreadable, parse_cdr

_CENT: Final = Decimal("0.01")
_SHARE: Final = Decimal("0.005")
_NOT_SIGNIFICANT: Final = "[?]"  # Gireve's mark on a CDR that is priced elsewhere: its 0 is not free (ocpi.md §21 Q25)

CdrKey = tuple[str, str, str, str]
"""(connection_id, country_code, party_id, id in upper case): what makes a CDR unique."""


class CdrState(StrEnum):
    """What became of a stored CDR. A credit that waits for its original stays ``received``."""

    RECEIVED = "received"
    SETTLED = "settled"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class StoredCdr:
    """A CDR as the store has it: ``raw`` is its JSON text."""

    key: CdrKey
    id: str
    raw: str
    state: CdrState
    received_at: datetime
    problem: str | None = None


@dataclass(frozen=True)
class BilledSession:
    """The facts of a session that its bill needs. ``hold`` is what was set aside before the start."""

    session_id: str
    user_id: str
    network: str
    evse_id: str
    currency: str
    hold: Decimal


@dataclass(frozen=True)
class Bill:
    """The judgement on all CDRs of a session.

    ``in_force`` is the one that is owed, None when there is none or it was credited; ``last`` is the newest that
    was ever in force. ``counted`` are the keys behind the judgement, in order of arrival.
    """

    currency: str
    in_force: Cdr | None = None
    last: Cdr | None = None
    counted: tuple[CdrKey, ...] = ()
    cdr_ids: tuple[str, ...] = ()
    problems: dict[CdrKey, str] = field(default_factory=dict)
    waiting: dict[CdrKey, str] = field(default_factory=dict)

    @property
    def cost(self) -> Decimal:
        """What is owed, exactly as the CPO wrote it."""
        return self.in_force.total.due if self.in_force else round_money(Decimal(0), self.currency)

    @property
    def digest(self) -> str:
        """Names the set of CDRs in payment keys: 16 hex digits."""
        return hashlib.sha256(repr(sorted(self.counted)).encode()).hexdigest()[:16]


class Audit(BaseModel):
    """Whether the bill agrees with itself: ``match``, ``mismatch``, or ``unverifiable`` where it gives no parts."""

    model_config = ConfigDict(frozen=True)

    verdict: Literal["match", "mismatch", "unverifiable"]
    differences: list[str] = []


def judge(stored: Iterable[StoredCdr], currency: str) -> Bill:
    """The bill of a session in ``currency``, from all of its CDRs in any order."""
    return _Judgement(sorted(stored, key=lambda s: (s.received_at, s.key)), currency).bill()


class _Judgement:
    """One pass over the CDRs: unreadable and defective ones aside, credits to their originals, one bill left."""

    def __init__(self, stored: Sequence[StoredCdr], currency: str) -> None:
        self.currency = currency
        self.settled = {s.key for s in stored if s.state is CdrState.SETTLED}
        self.cdrs: dict[CdrKey, Cdr] = {}
        self.problems: dict[CdrKey, str] = {}
        self.waiting: dict[CdrKey, str] = {}
        self.credited: dict[CdrKey, CdrKey] = {}  # original -> its credit
        for each in stored:
            try:
                self.cdrs[each.key] = parse_cdr(each.raw)
            except Unreadable as error:
                self.problems[each.key] = str(error)

    def bill(self) -> Bill:
        for key, cdr in self.cdrs.items():
            if problem := defect(cdr, self.currency):
                self.problems[key] = problem
        for key in self._sound(credit=True):
            self._match(key)
        chosen = self._choose()
        counted = [key for key in self._sound() if key not in self.waiting]
        originals = [key for key in counted if not self.cdrs[key].credit]
        last = chosen or (originals[-1] if originals else None)
        return Bill(
            currency=self.currency,
            in_force=self.cdrs[chosen] if chosen else None,
            last=self.cdrs[last] if last else None,
            counted=tuple(counted),
            cdr_ids=tuple(self.cdrs[key].id for key in counted),
            problems=self.problems,
            waiting=self.waiting,
        )

    def _sound(self, *, credit: bool | None = None) -> list[CdrKey]:
        return [k for k, c in self.cdrs.items() if k not in self.problems and credit in (None, c.credit)]

    def _match(self, key: CdrKey) -> None:
        """Give a credit to its original, or say why not. A credit takes back the whole of one CDR (§10.3.1)."""
        credit = self.cdrs[key]
        original_key: CdrKey = (*key[:3], (credit.credits or "").upper())
        original = self.cdrs.get(original_key)
        if original_key in self.problems:
            self.problems[key] = "credits a CDR that is itself in quarantine"
        elif original is None:
            self.waiting[key] = "waits for the CDR that it credits"
        elif original.credit:
            self.problems[key] = "credits a Credit CDR"
        elif original_key in self.credited:
            self.problems[key] = "credits a CDR that is already credited"
        elif not _close(abs(credit.total.due), original.total.due):
            self.problems[key] = "credits another amount than its original's"
        else:
            self.credited[original_key] = key

    def _choose(self) -> CdrKey | None:
        """The one CDR in force; any other that is not credited goes to quarantine. What is settled goes first."""
        live = [key for key in self._sound(credit=False) if key not in self.credited]
        live.sort(key=lambda key: key not in self.settled)  # stable: then by arrival
        for key in live[1:]:
            self.problems[key] = "a second CDR while the first is not credited"
        return live[0] if live else None


def defect(cdr: Cdr, currency: str) -> str | None:
    """Why a CDR must not be charged, looked at alone; None when nothing is wrong with it."""
    if cdr.currency != currency.upper():
        return f"currency {cdr.currency}, the session's is {currency}"
    if cdr.credit and not cdr.credits:
        return "a Credit CDR without credit_reference_id"
    if not cdr.credit and min(cdr.total.excl, cdr.total.due) < 0:
        return "a negative total without credit"
    if cdr.energy_kwh < 0 or (cdr.time_h or 0) < 0:
        return "negative energy or time"
    if cdr.remark.lstrip().startswith(_NOT_SIGNIFICANT):
        return "its total is not significant, says its remark"
    if differences := audit(cdr).differences:
        return "; ".join(differences)
    return None


def audit(cdr: Cdr) -> Audit:
    """Whether the parts add up to the total, within a cent or 0.5 %. A credit's parts may carry either sign.

    A total that equals a floor or ceiling of the CDR's own tariff is right, whatever its parts say.
    """
    if not cdr.parts:
        return Audit(verdict="unverifiable")
    sums = {"excl_vat": (sum(p.excl for p in cdr.parts.values()), cdr.total.excl, [b.excl for b in cdr.bounds])}
    if cdr.total.incl is not None and (incl := incl_of(cdr.parts.values())) is not None:
        sums["incl_vat"] = (incl, cdr.total.incl, [b.due for b in cdr.bounds])
    differences = [
        f"parts {parts} do not add up to total_cost {total} ({name})"
        for name, (parts, total, bounds) in sums.items()
        if not any(_close(abs(Decimal(right)), abs(total)) for right in (parts, *bounds))
    ]
    return Audit(verdict="mismatch" if differences else "match", differences=differences)


def incl_of(parts: Iterable[Price]) -> Decimal | None:
    """The parts' sum incl. VAT, None as soon as one has none."""
    amounts = [part.incl for part in parts]
    return None if None in amounts else sum((a for a in amounts if a is not None), Decimal(0))


def _close(left: Decimal, right: Decimal) -> bool:
    return abs(left - right) <= max(_CENT, _SHARE * abs(right))
