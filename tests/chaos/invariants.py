"""I1-I12, judged from the accounts of all sides. Pure: each is a function from ``Accounts`` to what is wrong.

``ALWAYS`` must hold at any moment; ``IN_THE_END`` once faults have stopped and time has passed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from charging.money import to_minor
from charging.session.model import Status
from charging.session.rules import ALLOWED
from tests.chaos.accounts import Accounts
from tests.chaos.cpo_faults import ALTERED

Json = dict[str, Any]

_TERMINAL: Final = (Status.COMPLETED, Status.FAILED)
_CURRENCY: Final = "EUR"


class Violation(NamedTuple):
    """What is broken, whose it is, and how."""

    invariant: str
    about: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}  {self.about}  {self.detail}"


Judge = Callable[[Accounts], Iterator[Violation]]


def violations(accounts: Accounts, judges: Sequence[Judge]) -> list[Violation]:
    """All that is wrong by these."""
    return [violation for judge in judges for violation in judge(accounts)]


def one_start(accounts: Accounts) -> Iterator[Violation]:
    """I1: the CPO has executed at most one START of a session, and none that we know nothing of."""
    executed = Counter(start["authorization_reference"] for start in accounts.starts if start["session_ids"])
    known = {session["authorization_reference"]: session["id"] for session in accounts.sessions.values()}
    for reference, times in executed.items():
        if times > 1:
            yield Violation("I1", known.get(reference, reference), f"{times} STARTs executed")
        if reference not in known:
            yield Violation("I1", str(reference), "START of no session of ours")


def all_end(accounts: Accounts) -> Iterator[Violation]:
    """I2: every session has come to its end, and nobody works on any."""
    for session in accounts.sessions.values():
        if session["status"] not in _TERMINAL:
            yield Violation("I2", session["id"], f"still {session['status']}/{session['phase']}")
    for workflow_id in accounts.open_work:
        yield Violation("I2", workflow_id, "its workflow still runs")
    for message in accounts.inbox:
        detail = f"message {message['id']} ({message['kind']}) is {message['state']}: {message['error']}"
        yield Violation("I2", message["session_id"], detail)


def nothing_delivers(accounts: Accounts) -> Iterator[Violation]:
    """I3: no EVSE delivers for a session that we call over, or for nobody."""
    for theirs in accounts.cpo_sessions:
        if theirs["status"] in ("ACTIVE", "PENDING"):
            ours = accounts.session_of(theirs)
            about = f"{ours['id']} ({ours['status']})" if ours else "nobody"
            yield Violation("I3", about, f"CPO Session {theirs['id']} is {theirs['status']}")


def paid_what_is_owed(accounts: Accounts) -> Iterator[Violation]:
    """I4: what a session has paid is what its CDRs, less credits, ask for; and no money comes from nowhere."""
    for session_id in {*accounts.sessions, *accounts.paid}:
        paid, owed = accounts.paid.get(session_id, 0), _owed(accounts, session_id)
        if paid not in owed:
            yield Violation("I4", session_id, f"paid {paid}, owed {' or '.join(map(str, owed))} minor units")
    for key in accounts.unbalanced:
        yield Violation("I4", key, "the legs of the transfer do not add up to 0")


def cdrs_settled_once(accounts: Accounts) -> Iterator[Violation]:
    """I5: every CDR that the CPO has issued is stored once and settled; a wrong one is kept for people."""
    stored = Counter(cdr["folded_id"] for cdr in accounts.cdrs)
    states = {cdr["folded_id"]: f"{cdr['state']}: {cdr['problem']}" for cdr in accounts.cdrs}
    twins = _twins(accounts)
    for theirs in _issued(accounts):
        folded = theirs["id"].upper()
        about = f"CDR {theirs['id']} of {(accounts.session_of(theirs) or {}).get('id')}"
        if stored[folded] != 1:
            yield Violation("I5", about, f"stored {stored[folded]} times")
        elif not states[folded].startswith(("settled", *_may_be(theirs, twins))):
            yield Violation("I5", about, states[folded])
    for session_id, charged in accounts.captured.items():
        if charged > (asked := max(map(_asked_for, _bills(accounts, session_id)))):
            yield Violation("I5", session_id, f"charged {charged}, its CDRs ask for {asked} minor units")


def receipts_are_cdrs(accounts: Accounts) -> Iterator[Violation]:
    """I6: a receipt says what the one CDR behind it says, digit for digit; where credits are, what is left."""
    for session_id, session in accounts.sessions.items():
        receipt, bills = accounts.receipts.get(session_id), _bills(accounts, session_id)
        if receipt is None:
            if session["status"] == Status.COMPLETED or any(bills):
                yield Violation("I6", session_id, f"{session['status']} without a receipt, billed by {_ids(*bills)}")
            continue
        of_it = next((bill for bill in bills if _ids(bill) == sorted(receipt["cdr_ids"])), None)
        if of_it is None:
            yield Violation("I6", session_id, f"the receipt is for {receipt['cdr_ids']}, billed by {_ids(*bills)}")
        elif Decimal(receipt["cost"]) != (cost := sum(map(_total, of_it), Decimal(0))):
            yield Violation("I6", session_id, f"the receipt says {receipt['cost']}, its CDRs {cost}")
        elif len(of_it) == 1 and _said(receipt) != _asked(of_it[0]):
            yield Violation("I6", session_id, f"the receipt says {_said(receipt)}, its CDR {_asked(of_it[0])}")


def robots_get_that_receipt(accounts: Accounts) -> Iterator[Violation]:
    """I6: what the API answers is the receipt that is stored."""
    for ride in accounts.rides:
        given, stored = _told(ride.receipt), _told(accounts.receipts.get(ride.session_id))
        if given != stored:
            yield Violation("I6", ride.session_id, f"its robot was given {given}, stored is {stored}")


def statuses_follow_the_graph(accounts: Accounts) -> Iterator[Violation]:
    """I7: published statuses move along the graph; a robot never sees one that lies behind."""
    for session_id, events in accounts.events.items():
        published = [Status(event["data"]["status"]) for event in events if event["type"] == "session.status"]
        for before, after in pairwise([Status.PENDING, *published]):
            if after is not before and after not in ALLOWED[before]:
                yield Violation("I7", session_id, f"published {before} → {after}")
    for ride in accounts.rides:
        for earlier, later in pairwise(ride.seen):
            if Status(later.status) not in _reachable(Status(earlier.status)):
                yield Violation("I7", ride.session_id, f"a robot saw {earlier.status} → {later.status}")
            if later.revision < earlier.revision:
                yield Violation("I7", ride.session_id, f"revision {earlier.revision} → {later.revision}")
            if later.revision == earlier.revision and later.status != earlier.status:
                yield Violation("I7", ride.session_id, f"two statuses of revision {later.revision}")


def meters_never_fall(accounts: Accounts) -> Iterator[Violation]:
    """I8: while a session is active, a robot never sees its energy or cost fall."""
    for ride in accounts.rides:
        for earlier, later in pairwise(ride.seen):
            if earlier.status == later.status == Status.ACTIVE:
                if later.energy_kwh < earlier.energy_kwh or later.cost < earlier.cost:
                    yield Violation("I8", ride.session_id, f"{earlier} → {later}")


def one_session_per_key(accounts: Accounts) -> Iterator[Violation]:
    """I9: a key is one session, and a session has one key."""
    for ride in accounts.rides:
        if len(ride.session_ids) > 1:
            yield Violation("I9", ride.key, f"answered with {sorted(ride.session_ids)}")
    shared = Counter(ride.session_id for ride in accounts.rides if ride.session_ids)
    for session_id, times in shared.items():
        if times > 1 or session_id not in accounts.sessions:
            yield Violation("I9", session_id, f"answer to {times} keys, stored: {session_id in accounts.sessions}")
    keys = {ride.key for ride in accounts.rides}
    if strange := {*accounts.keys} - keys:
        yield Violation("I9", "keys", f"of no robot: {sorted(strange)}")
    if len(accounts.sessions) > len(keys):
        yield Violation("I9", "sessions", f"{len(accounts.sessions)} of {len(keys)} keys")


def nothing_held(accounts: Accounts) -> Iterator[Violation]:
    """I10: behind a session that has ended nothing is held: no money, no EVSE."""
    for session_id, held in accounts.held.items():
        session = accounts.sessions.get(session_id)
        if held and (session is None or session["status"] in _TERMINAL):
            yield Violation("I10", session_id, f"{held} minor units are held")
    for session_id in accounts.claims:
        yield Violation("I10", session_id, "its EVSE is still claimed")


def ends_are_told(accounts: Accounts) -> Iterator[Violation]:
    """I11: an end is an event; a session's events are numbered from 1 without a gap, and no id is used twice."""
    ids = Counter(event["id"] for events in accounts.events.values() for event in events)
    for event_id, times in ids.items():
        if times > 1:
            yield Violation("I11", event_id, f"{times} events have this id")
    for session_id, session in accounts.sessions.items():
        events = accounts.events.get(session_id, [])
        if [event["seq"] for event in events] != [*range(1, len(events) + 1)]:
            yield Violation("I11", session_id, f"events {[event['seq'] for event in events]}")
        told = [event["data"].get("status") for event in events if event["type"] == "session.status"]
        if session["status"] in _TERMINAL and told[-1:] != [session["status"]]:
            yield Violation("I11", session_id, f"ended as {session['status']}, told {told}")
    heard = {event["id"]: event for event in accounts.heard}
    for session_id, events in accounts.events.items():
        missed = [event["seq"] for event in events if _is_subscribed(event) and event["id"] not in heard]
        if missed:
            yield Violation("I11", session_id, f"its user was never told events {missed}")
        for event in events:
            if event["id"] in heard and heard[event["id"]]["data"] != event["data"]:
                yield Violation("I11", session_id, f"event {event['seq']} was told in other words")


def told_in_order(accounts: Accounts) -> Iterator[Violation]:
    """I11: the first time that an event of a session is delivered, none that follows it was."""
    last: dict[str, int] = {}
    known: set[str] = set()
    for event in accounts.heard:
        if event["id"] in known:
            continue
        known.add(event["id"])
        if event["seq"] < last.get(event["session_id"], 0):
            yield Violation("I11", event["session_id"], f"told event {event['seq']} after {last[event['session_id']]}")
        last[event["session_id"]] = event["seq"]


def nothing_odd(accounts: Accounts) -> Iterator[Violation]:
    """No robot was answered with an error of ours, or refused what is its own."""
    for ride in accounts.rides:
        for answer in sorted({*ride.odd}):
            yield Violation("API", ride.session_id or ride.key, answer[:300])


ALWAYS: Final[Sequence[Judge]] = (
    one_start,
    statuses_follow_the_graph,
    meters_never_fall,
    one_session_per_key,
    told_in_order,
    nothing_odd,
    robots_get_that_receipt,
)
IN_THE_END: Final[Sequence[Judge]] = (
    all_end,
    nothing_delivers,
    paid_what_is_owed,
    cdrs_settled_once,
    receipts_are_cdrs,
    nothing_held,
    ends_are_told,
)


def _is_subscribed(event: Json) -> bool:
    """Whether it is one of ``listener.TYPES``: receipts are stored under what became of the payment."""
    return event["type"] == "session.status" or str(event["type"]).startswith("payment_")


def _issued(accounts: Accounts) -> list[Json]:
    return [cdr for cdr in accounts.cpo_cdrs if cdr["sandbox"]["issued"]]


def _bills(accounts: Accounts, session_id: str) -> list[list[Json]]:
    """The CDRs that a session may have to pay: those of one transaction, or of another where the CPO made twins."""
    bills: dict[str, list[Json]] = {}
    for cdr in _issued(accounts):
        if (accounts.session_of(cdr) or {}).get("id") == session_id:
            bills.setdefault(cdr["session_id"], []).extend([] if _is_wrong(cdr) else [cdr])
    return [*bills.values()] or [[]]


def _ids(*bills: Sequence[Json]) -> list[str]:
    return sorted(cdr["id"] for bill in bills for cdr in bill)


def _owed(accounts: Accounts, session_id: str) -> list[int]:
    """What a session may have paid: what one of its bills adds up to."""
    bills = _bills(accounts, session_id)
    return sorted({to_minor(sum(map(_total, bill), Decimal(0)), _CURRENCY) for bill in bills})


def _twins(accounts: Accounts) -> set[str]:
    return {twin for start in accounts.starts if len(start["session_ids"]) > 1 for twin in start["session_ids"]}


def _may_be(cdr: Json, twins: set[str]) -> tuple[str, ...]:
    return ("quarantined",) if _is_wrong(cdr) or cdr["session_id"] in twins else ()


def _asked_for(bill: Sequence[Json]) -> int:
    """Of all its CDRs, credits apart."""
    return sum(to_minor(max(_total(cdr), Decimal(0)), _CURRENCY) for cdr in bill)


def _is_wrong(cdr: Json) -> bool:
    return bool(cdr.get("remark") == ALTERED)


def _total(cdr: Json) -> Decimal:
    return Decimal(cdr["total_cost"]["incl_vat"])


def _said(receipt: Json) -> tuple[str, int, str, str]:
    # As texts: 4.6 is not what a bill of 4.60 says.
    return str(receipt["energy_kwh"]), receipt["duration_minutes"], str(receipt["cost"]), receipt["currency"]


def _told(receipt: Json | None) -> tuple[object, ...] | None:
    # As numbers: JSON has 0 for what is kept as 0.00.
    if receipt is None:
        return None
    numbers = (Decimal(str(receipt[name])) for name in ("energy_kwh", "duration_minutes", "cost"))
    return (*numbers, receipt["currency"], receipt["cdr_ids"], receipt["payment_status"])


def _asked(cdr: Json) -> tuple[str, int, str, str]:
    lasted = datetime.fromisoformat(cdr["end_date_time"]) - datetime.fromisoformat(cdr["start_date_time"])
    return str(cdr["total_energy"]), int(lasted.total_seconds() // 60), str(_total(cdr)), cdr["currency"]


def _reachable(status: Status) -> set[Status]:
    found, ahead = {status}, [status]
    while ahead:
        new = ALLOWED[ahead.pop()] - found
        found |= new
        ahead += new
    return found
