"""What a session owes, from all of its CDRs.

Pure. The whole set of CDRs is judged anew each time, so their order of arrival does not matter:

====================================================  =========================================================
a CDR that its audit lets pass                        is billed, flagged where it is wrong by little
a Credit CDR (§10.3.1 ``credit``)                     takes its original back, whatever sign its total has
a Credit CDR before its original                      waits
a CDR after its predecessor was credited              is billed: the receipt's next version
a second CDR while the first is not credited          quarantine
one that its audit stops, or that cannot be read      quarantine
one that a person accepted                            is billed, also in place of another
one that a person rejected                            is kept, and counts for nothing
====================================================  =========================================================

Whether a CDR agrees with itself, its tariff, ours and the session is told by ``charging.tariffs.audit`` alone. Its
verdict is given once, and again only while the CDR is in quarantine: what is paid is not judged by later knowledge.

Quarantine is for people: such a CDR is neither dropped nor charged. While it is all a session has, there is no
receipt, and the hold stays until a person decides or the session gives its CDR up at the deadline (``cdr_s``).
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from charging.money import round_money, to_minor
from charging.payments.cdr import Cdr, Price, Unreadable, parse_cdr
from charging.tariffs.audit import CdrAudit, Evidence, audit_cdr, rated
from charging.tariffs.comparison import Tolerance
from charging.tariffs.rating import Rating
from charging.tariffs.rules import DEFAULT_RULES, TariffRules

_SAME: Final = Tolerance()
NO_EVIDENCE: Final = Evidence()
_NOT_SIGNIFICANT: Final = "[?]"  # Gireve's mark on a CDR that is priced elsewhere: its 0 is not free (docs/ocpi.md Q25)

CdrKey = tuple[str, str, str, str]
"""(connection_id, country_code, party_id, id in upper case): what makes a CDR unique."""


class CdrState(StrEnum):
    """What became of a stored CDR. A credit that waits for its original stays ``received``."""

    RECEIVED = "received"
    SETTLED = "settled"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


class Dispute(StrEnum):
    """What a person shall decide about a CDR, or has: its bill is wrong, or it is in quarantine."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class StoredCdr:
    """A CDR as the store has it: ``raw`` is its JSON text. ``audit`` None: it was not audited yet.

    ``due_minor`` is what it adds to what is owed, in minor units (negative: a credit); None while it is not settled.
    """

    key: CdrKey
    id: str
    raw: str
    state: CdrState
    received_at: datetime
    problem: str | None = None
    audit: CdrAudit | None = None
    dispute: Dispute | None = None
    due_minor: int | None = None


@dataclass(frozen=True)
class BilledSession:
    """The facts of a session that its bill needs. ``hold`` is what was set aside before the start.

    ``evidence`` and ``rules`` are what its CDRs are audited by.
    """

    session_id: str
    user_id: str
    network: str
    evse_id: str
    currency: str
    hold: Decimal
    evidence: Evidence = NO_EVIDENCE
    rules: TariffRules = DEFAULT_RULES


@dataclass(frozen=True)
class Bill:
    """The judgement on all CDRs of a session.

    ``in_force`` is the one that is owed, None when there is none or it was taken back; ``last`` is the newest that
    was ever in force, ``last_key`` its key. ``counted`` are the keys behind the judgement, in order of arrival.
    ``audits`` are the verdicts, ``dues`` what each counted CDR adds to what is owed (minor units), ``accepted`` and
    ``rejected`` those that a person decided on. ``rating`` is what ``last`` should cost by the tariff, where known.
    """

    currency: str
    in_force: Cdr | None = None
    last: Cdr | None = None
    last_key: CdrKey | None = None
    counted: tuple[CdrKey, ...] = ()
    cdr_ids: tuple[str, ...] = ()
    problems: dict[CdrKey, str] = field(default_factory=dict)
    waiting: dict[CdrKey, str] = field(default_factory=dict)
    audits: dict[CdrKey, CdrAudit] = field(default_factory=dict)
    dues: dict[CdrKey, int] = field(default_factory=dict)
    accepted: frozenset[CdrKey] = frozenset()
    rejected: frozenset[CdrKey] = frozenset()
    rating: Rating | None = None

    @property
    def cost(self) -> Decimal:
        """What is owed, exactly as the CPO wrote it."""
        return self.in_force.total.due if self.in_force else round_money(Decimal(0), self.currency)

    @property
    def digest(self) -> str:
        """Names the set of CDRs in payment keys: 16 hex digits."""
        return hashlib.sha256(repr(sorted(self.counted)).encode()).hexdigest()[:16]


def judge(stored: Iterable[StoredCdr], session: BilledSession) -> Bill:
    """The bill of ``session``, from all of its CDRs in any order."""
    return _Judgement(sorted(stored, key=lambda s: (s.received_at, s.key)), session).bill()


class _Judgement:
    """One pass over the CDRs: unreadable and defective ones aside, credits to their originals, one bill left."""

    def __init__(self, stored: Sequence[StoredCdr], session: BilledSession) -> None:
        self.currency = session.currency.upper()
        self.session = replace(session, evidence=replace(session.evidence, currency=self.currency))
        self.stored = {s.key: s for s in stored}
        self.settled = {s.key for s in stored if s.state is CdrState.SETTLED}
        self.accepted = {s.key for s in stored if s.dispute is Dispute.ACCEPTED}
        self.rejected = {s.key for s in stored if s.dispute is Dispute.REJECTED}
        self.cdrs: dict[CdrKey, Cdr] = {}
        self.audits: dict[CdrKey, CdrAudit] = {}
        self.problems: dict[CdrKey, str] = {}
        self.waiting: dict[CdrKey, str] = {}
        self.credited: dict[CdrKey, CdrKey] = {}  # original -> its credit
        for each in stored:
            try:
                self.cdrs[each.key] = parse_cdr(each.raw)
            except Unreadable as error:
                if each.key not in self.rejected:
                    self.problems[each.key] = str(error)

    def bill(self) -> Bill:
        for key, cdr in self.cdrs.items():
            if not cdr.credit:
                self.audits[key] = self._audit(key)
            if key not in self.rejected and (problem := self._defect(key, cdr)):
                self.problems[key] = problem
        for key in self._sound(credit=True):
            self._match(key)
        chosen = self._choose()
        counted = [key for key in self._sound() if key not in self.waiting]
        last = chosen or self._last(counted)
        return Bill(
            currency=self.session.currency,
            in_force=self.cdrs[chosen] if chosen else None,
            last=self.cdrs[last] if last else None,
            last_key=last,
            counted=tuple(counted),
            cdr_ids=tuple(self.cdrs[key].id for key in counted),
            problems=self.problems,
            waiting=self.waiting,
            audits=self.audits,
            dues=self._dues(counted),
            accepted=frozenset(self.accepted),
            rejected=frozenset(self.rejected),
            rating=rated(canonical(self.stored[last].raw), self.session.evidence, self.session.rules) if last else None,
        )

    def _sound(self, *, credit: bool | None = None) -> list[CdrKey]:
        aside = self.problems.keys() | self.rejected
        return [k for k, c in self.cdrs.items() if k not in aside and credit in (None, c.credit)]

    def _defect(self, key: CdrKey, cdr: Cdr) -> str | None:
        """Why a CDR must not be charged, looked at alone; None when nothing is wrong with it, or a person said so."""
        if cdr.credit:
            return None if cdr.credits else "a Credit CDR without credit_reference_id"
        if key in self.accepted:
            return _impossible(cdr, self.currency)
        if cdr.remark.lstrip().startswith(_NOT_SIGNIFICANT):
            return "its total is not significant, says its remark"
        audit = self.audits[key]
        wrong = [difference.detail for difference in audit.differences if difference.code != "unknown_price"]
        return None if audit.payable else "; ".join(wrong)

    def _audit(self, key: CdrKey) -> CdrAudit:
        each = self.stored[key]
        is_open = each.state is CdrState.QUARANTINED and each.dispute not in (Dispute.ACCEPTED, Dispute.REJECTED)
        if each.audit is not None and not is_open:
            return each.audit
        audit = audit_cdr(canonical(each.raw), self.session.evidence, self.session.rules)
        return audit.model_copy(update={"payable": True}) if key in self.settled else audit

    def _match(self, key: CdrKey) -> None:
        """Give a credit to its original, or say why not. A credit takes back the whole of one CDR (§10.3.1)."""
        credit = self.cdrs[key]
        original_key: CdrKey = (*key[:3], (credit.credits or "").upper())
        original = self.cdrs.get(original_key)
        if original_key in self.rejected:
            self.credited[original_key] = key  # both have already come to nothing
        elif original_key in self.problems:
            self.problems[key] = "credits a CDR that is itself in quarantine"
        elif original is None:
            self.waiting[key] = "waits for the CDR that it credits"
        elif original.credit:
            self.problems[key] = "credits a Credit CDR"
        elif original_key in self.credited:
            self.problems[key] = "credits a CDR that is already credited"
        elif credit.currency != original.currency:
            self.problems[key] = "credits in another currency than its original's"
        elif key not in self.accepted and not _same(credit.total, original.total, self.currency):
            self.problems[key] = "credits another amount than its original's"
        else:
            self.credited[original_key] = key

    def _choose(self) -> CdrKey | None:
        """The one CDR in force; any other that is not credited goes to quarantine.

        What a person accepted goes first, then what is settled.
        """
        live = [key for key in self._sound(credit=False) if key not in self.credited]
        live.sort(key=lambda key: (key not in self.accepted, key not in self.settled))  # stable: then by arrival
        for key in live[1:]:
            self.problems[key] = "a second CDR while the first is not credited"
        return live[0] if live else None

    def _last(self, counted: Sequence[CdrKey]) -> CdrKey | None:
        originals = [key for key in counted if not self.cdrs[key].credit]
        turned_down = [k for k, c in self.cdrs.items() if k in self.rejected and not _impossible(c, self.currency)]
        return next(reversed([*turned_down, *originals]), None)

    def _dues(self, counted: Sequence[CdrKey]) -> dict[CdrKey, int]:
        """What each adds: a bill its total, its credit the same amount taken back."""
        dues = {key: to_minor(self.cdrs[key].total.due, self.currency) for key in counted if not self.cdrs[key].credit}
        return dues | {credit: -dues.get(original, 0) for original, credit in self.credited.items()}


def canonical(raw: str) -> dict[str, Any]:
    """A CDR's JSON text, decimals exact. Only for what ``parse_cdr`` can read."""
    body: dict[str, Any] = json.loads(raw, parse_float=Decimal)
    return body


def incl_of(parts: Iterable[Price]) -> Decimal | None:
    """The parts' sum incl. VAT, None as soon as one has none."""
    amounts = [part.incl for part in parts]
    return None if None in amounts else sum((a for a in amounts if a is not None), Decimal(0))


def _impossible(cdr: Cdr, currency: str) -> str | None:
    """Why not even a person can have this charged."""
    if cdr.currency != currency:
        return f"it is in {cdr.currency}, the session in {currency}"
    if cdr.credit or cdr.energy_kwh < 0 or min(cdr.total.excl, cdr.total.due) < 0:
        return "a negative total or energy"
    return None


def _same(credit: Price, original: Price, currency: str) -> bool:
    return _SAME.agree(abs(credit.due), original.due, currency)
