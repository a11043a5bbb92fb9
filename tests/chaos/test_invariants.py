"""Each invariant sees what breaks it. A judge that finds nothing wrong anywhere would be worth nothing."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.accounts import Accounts, find_in_files
from tests.chaos.cpo_faults import ALTERED
from tests.chaos.invariants import ALWAYS, IN_THE_END, violations
from tests.chaos.robots import Ride, Seen

Change = Callable[[Accounts], Accounts]
JUDGES = (*ALWAYS, *IN_THE_END)


RECEIPT = {
    "cost": Decimal("4.605"),
    "energy_kwh": Decimal("11.5"),
    "duration_minutes": 2,
    "currency": "EUR",
    "cdr_ids": ["C"],
    "payment_status": "paid",
}
TOLD = ("active", "stopping", "completed")


def test_a_session_that_went_well_breaks_nothing() -> None:
    assert violations(_well(), JUDGES) == []


def _well() -> Accounts:
    """One session, started once, charged, billed and paid."""
    ride = Ride(1, "owner@people.example", "FI-VRT-E12345", "key", {}, {"S"})
    ride.seen += [_seen(1, "pending", 0, 0), _seen(2, "active", 1, 2), _seen(3, "active", 2, 4), _seen(4, "completed")]
    ride.receipt = RECEIPT
    return Accounts(
        rides=[ride],
        heard=_heard(1, 2, 1, 3),
        starts=[{"authorization_reference": "REF", "session_ids": ["T"]}],
        cpo_sessions=[{"id": "T", "status": "COMPLETED", "authorization_reference": "REF"}],
        cpo_cdrs=[_cdr("C", Decimal("4.605"))],
        paid={"S": 461},
        held={"S": 0},
        captured={"S": 461},
        unbalanced=[],
        sessions={"S": _session()},
        keys={"key"},
        cdrs=[{"folded_id": "C", "state": "settled", "problem": None}],
        receipts={"S": RECEIPT},
        claims=[],
        inbox=[],
        events={"S": [_event(seq, status) for seq, status in enumerate(TOLD, 1)]},
        open_work=[],
    )


def _event(seq: int, status: str) -> dict[str, Any]:
    return {"id": seq, "seq": seq, "type": "session.status", "data": {"status": status}}


def _heard(*seqs: int) -> list[dict[str, Any]]:
    return [{**_event(seq, TOLD[seq - 1]), "session_id": "S"} for seq in seqs]


def _session(**changes: Any) -> dict[str, Any]:
    facts = {"id": "S", "authorization_reference": "REF", "token_uid": "TOKEN"}
    return {**facts, "status": "completed", "phase": None, **changes}


def _cdr(id: str, total: Decimal, **changes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "session_id": "T",
        "authorization_reference": "REF",
        "start_date_time": "2026-03-02T12:00:00Z",
        "end_date_time": "2026-03-02T12:02:59Z",
        "total_cost": {"excl_vat": total, "incl_vat": total},
        "total_energy": Decimal("11.5"),
        "currency": "EUR",
        "sandbox": {"issued": True},
        **changes,
    }


def _seen(revision: int, status: str, energy: int = 2, cost: int = 4) -> Seen:
    return Seen(revision, status, Decimal(energy), Decimal(cost))


def _rides(*seen: Seen, ids: set[str] | None = None, odd: str = "") -> Change:
    ride = Ride(1, "owner@people.example", "FI-VRT-E12345", "key", {}, ids or {"S"}, [*seen], [odd] if odd else [])
    ride.receipt = RECEIPT
    return lambda well: replace(well, rides=[ride])


def _told(*statuses: str, seqs: tuple[int, ...] = ()) -> Change:
    numbered = zip(seqs or range(1, len(statuses) + 1), statuses, strict=True)
    return lambda well: replace(well, events={"S": [_event(seq, status) for seq, status in numbered]})


def _given(**changes: Any) -> Change:
    """The robot is given another receipt than is stored."""
    return lambda well: replace(well, rides=[replace(well.rides[0], receipt={**RECEIPT, **changes})])


def _with(**changes: Any) -> Change:
    return lambda well: replace(well, **changes)


START = {"authorization_reference": "REF", "session_ids": ["T"]}
BROKEN: list[tuple[str, str, Change]] = [
    ("I1", "two STARTs", _with(starts=[START, {**START, "session_ids": ["U"]}])),
    ("I1", "a START of nobody", _with(starts=[{**START, "authorization_reference": "OTHER"}])),
    ("I2", "a session that hangs", _with(sessions={"S": _session(status="stopping", phase="stop_sent")})),
    ("I2", "a workflow that runs on", _with(open_work=["charging-session/S"])),
    (
        "I2",
        "a message that nobody got",
        _with(inbox=[{"id": 1, "session_id": "S", "kind": "cdr", "state": "dead", "error": None}]),
    ),
    (
        "I3",
        "a car that charges on",
        _with(cpo_sessions=[{"id": "T", "status": "ACTIVE", "authorization_reference": "REF"}]),
    ),
    ("I4", "paid twice", _with(paid={"S": 922})),
    ("I4", "not paid", _with(paid={})),
    ("I4", "paid for nothing", _with(paid={"S": 461, "GHOST": 100})),
    ("I4", "a wrong bill paid", _with(cpo_cdrs=[_cdr("C", Decimal("4.605"), remark=ALTERED)])),
    ("I4", "money from nowhere", _with(unbalanced=["capture/C"])),
    ("I5", "a CDR that was lost", _with(cdrs=[])),
    ("I5", "a good CDR in quarantine", _with(cdrs=[{"folded_id": "C", "state": "quarantined", "problem": "?"}])),
    ("I5", "a CDR charged twice, and once given back", _with(captured={"S": 922})),
    ("I6", "a receipt for no CDR", _with(receipts={"S": {**RECEIPT, "cost": Decimal(0), "cdr_ids": []}})),
    ("I6", "a receipt that forgets the credit", _with(cpo_cdrs=[_cdr("C", Decimal("4.605")), _cdr("K", Decimal(-1))])),
    ("I6", "billed and failed without a receipt", _with(receipts={}, sessions={"S": _session(status="failed")})),
    ("I6", "another receipt for the robot", _given(cost=Decimal("4.61"))),
    ("I6", "a receipt with another cost", _with(cpo_cdrs=[_cdr("C", Decimal("4.606"))])),
    ("I6", "another energy", _with(cpo_cdrs=[_cdr("C", Decimal("4.605"), total_energy=Decimal("11.6"))])),
    ("I6", "the same cost in other digits", _with(cpo_cdrs=[_cdr("C", Decimal("4.6050"))])),
    (
        "I6",
        "the same energy in other digits",
        _with(cpo_cdrs=[_cdr("C", Decimal("4.605"), total_energy=Decimal("11.50"))]),
    ),
    ("I6", "completed without a receipt", _with(receipts={})),
    ("I7", "published backwards", _told("stopping", "active", "completed")),
    ("I7", "seen backwards", _rides(_seen(1, "completed"), _seen(2, "active"))),
    ("I7", "published from nowhere", _told("completed", "failed")),
    ("I7", "a revision of two statuses", _rides(_seen(1, "pending"), _seen(1, "active"))),
    ("I7", "an older revision", _rides(_seen(2, "active"), _seen(1, "active"))),
    ("I8", "energy that falls", _rides(_seen(1, "active", 3), _seen(2, "active", 2))),
    ("I8", "cost that falls", _rides(_seen(1, "active", 3, 3), _seen(2, "active", 3, 2))),
    ("I9", "two sessions for a key", _rides(ids={"S", "R"})),
    ("I9", "a session that nobody has stored", _rides(ids={"R"})),
    ("I9", "a key of no robot", _with(keys={"key", "other"})),
    ("I9", "a session of no robot", _with(sessions={"S": _session(), "R": _session(id="R")})),
    ("I10", "a hold of a start that was given up", _with(held={"GIVEN UP": 5000})),
    ("I10", "a hold left open", _with(held={"S": 5000})),
    ("I10", "an EVSE still claimed", _with(claims=["S"])),
    ("I11", "an end that nobody was told", _told("active", "stopping")),
    ("I11", "a gap", _told("active", "stopping", "completed", seqs=(1, 2, 4))),
    ("I11", "an end that no webhook told", _with(heard=_heard(1, 2))),
    ("I11", "told out of order", _with(heard=_heard(1, 3, 2))),
    ("I11", "told in other words", _with(heard=[*_heard(1, 2), {**_heard(3)[0], "data": {"status": "failed"}}])),
    ("API", "an error of ours", _rides(odd="GET /v1/sessions: 500")),
]


@pytest.mark.parametrize(("invariant", "change"), [pytest.param(i, c, id=f"{i}: {name}") for i, name, c in BROKEN])
def test_what_breaks_an_invariant_is_seen(invariant: str, change: Change) -> None:
    assert invariant in {violation.invariant for violation in violations(change(_well()), JUDGES)}


def test_of_twins_one_is_paid_and_the_other_bill_waits_for_people() -> None:
    twins = replace(
        _well(),
        starts=[{**START, "session_ids": ["T", "U"]}],
        cpo_cdrs=[_cdr("C", Decimal("4.605")), _cdr("D", Decimal(5), session_id="U")],
        cdrs=[*_well().cdrs, {"folded_id": "D", "state": "quarantined", "problem": "a second CDR"}],
    )
    assert violations(twins, JUDGES) == []


def test_a_credited_session_has_paid_nothing() -> None:
    credit = _cdr("K", Decimal("-4.605"))
    credited = replace(
        _well(),
        cpo_cdrs=[*_well().cpo_cdrs, credit],
        cdrs=[*_well().cdrs, {"folded_id": "K", "state": "settled", "problem": None}],
        paid={"S": 0},
        receipts={"S": {**RECEIPT, "cost": Decimal(0), "cdr_ids": ["C", "K"]}},
    )
    credited = _given(cost=Decimal(0), cdr_ids=["C", "K"])(credited)
    assert violations(credited, JUDGES) == []


def test_a_secret_in_a_log_or_in_a_history_is_found(tmp_path: Path) -> None:
    log, history = tmp_path / "api-1.log", tmp_path / "temporal.db-wal"
    log.write_text("INFO all is well")
    history.write_bytes(b"\x00\x01")
    assert find_in_files([log, history], {"owner@people.example"}) == []
    log.write_text("INFO started for owner@people.example")
    history.write_bytes(b"\x00owner@people.example\x00")
    assert len(find_in_files([log, history], {"owner@people.example"})) == 2
