"""What a session owes, from any set of CDRs, and the receipt that says so."""

import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from charging.payments.bill import Bill, BilledSession, CdrState, Dispute, judge
from charging.payments.cdr import parse_cdr
from charging.payments.receipt import PaymentStatus, Receipt, make_receipt
from charging.tariffs.audit import CdrAudit, Evidence
from tests.payments.factory import Raw, cdr, credit, price, stored, tariff, text

SESSION = BilledSession("s1", "ada", "Virta", "FI-VRT-E12345", "EUR", Decimal("50.00"))


def bill_of(*bodies: dict[str, Any] | str) -> Bill:
    return judge([stored(body, after=n) for n, body in enumerate(bodies)], SESSION)


def receipt_of(*bodies: dict[str, Any] | str) -> Receipt:
    receipt = make_receipt(SESSION, bill_of(*bodies), status=PaymentStatus.PAID, version=1)
    assert receipt is not None
    return receipt


def problems(bill: Bill) -> dict[str, str]:
    return {key[3]: problem for key, problem in bill.problems.items()}


# --- one CDR


def test_a_receipt_repeats_the_cdr_digit_for_digit() -> None:
    body = cdr(total_cost=price("9.99", "12.5370"), total_energy_cost=None, total_energy=Raw("31.2500"))
    receipt = receipt_of(body)
    assert (str(receipt.energy_kwh), str(receipt.cost), str(receipt.amount_due)) == ("31.2500", "12.5370", "12.54")
    assert Receipt.model_validate_json(receipt.model_dump_json()) == receipt
    assert '"cost":"12.5370"' in receipt.model_dump_json()


def test_numbers_as_text_and_ids_as_numbers_are_read_as_what_they_say() -> None:
    quoted = cdr(id=1001, total_cost={"excl_vat": "10.00", "incl_vat": "12.50"}, total_energy="31.2500")
    receipt = receipt_of(quoted)
    assert (receipt.cdr_ids, str(receipt.cost), str(receipt.energy_kwh)) == (["1001"], "12.50", "31.2500")


def test_what_is_owed_is_incl_vat_and_excl_vat_only_where_there_is_no_other() -> None:
    assert bill_of(cdr(total="12.50")).cost == Decimal("12.50")
    assert bill_of(cdr(total_cost=price("10.00"), total_energy_cost=price("10.00"))).cost == Decimal("10.00")


@pytest.mark.parametrize(
    ("fields", "minutes"),
    [
        ({"total_time": Raw("0.75833")}, 45),
        ({"total_time": Raw("0.9999")}, 59),
        ({"total_time": 2}, 120),
        ({"total_time": None}, 45),
        ({"total_time": None, "start_date_time": "1970-01-01T00:00:00Z"}, 0),
        ({"total_time": None, "end_date_time": "soon"}, 0),
        ({"total_time": None, "end_date_time": "2026-03-02T14:46:00"}, 166),
        ({"total_time": None, "end_date_time": "2026-03-02T14:46:00+02:00"}, 46),
    ],
)
def test_duration_is_whole_minutes_of_total_time_else_from_start_to_end(fields: dict[str, Any], minutes: int) -> None:
    assert parse_cdr(text(cdr(**fields))).duration_minutes == minutes


def test_lines_carry_vat_and_add_up_to_the_total() -> None:
    body = cdr(
        total_cost=price("10.60", "13.15"),
        total_fixed_cost=price("0.50", "0.62"),
        total_energy_cost=price("8.00", "9.92"),
        total_time_cost=price("1.00", "1.24"),
        total_parking_cost=price("1.10", "1.36"),
        total_time=Raw("1.5"),
        total_parking_time=Raw("0.5"),
    )
    receipt = receipt_of(body)
    shown = [(line.dimension, line.volume, line.unit, line.vat) for line in receipt.lines]
    assert shown == [
        ("FLAT", None, None, Decimal("0.12")),
        ("ENERGY", Decimal("31.2500"), "kWh", Decimal("1.92")),
        ("TIME", Decimal("1.0"), "h", Decimal("0.24")),
        ("PARKING_TIME", Decimal("0.5"), "h", Decimal("0.26")),
        ("OTHER", None, None, Decimal("0.01")),
    ]
    assert sum(line.incl_vat or 0 for line in receipt.lines) == receipt.cost


def test_vat_that_the_cpo_does_not_give_is_null_not_zero() -> None:
    receipt = receipt_of(cdr(total_cost=price("10.00"), total_energy_cost=price("10.00")))
    assert [(line.vat, line.incl_vat) for line in receipt.lines] == [(None, None)]


def test_a_bill_without_parts_cannot_be_verified() -> None:
    receipt = receipt_of(cdr(total_energy_cost=None))
    assert receipt.audit.verdict == "unverifiable"
    assert [line.dimension for line in receipt.lines] == ["OTHER"]


def test_a_zero_cdr_owes_nothing() -> None:
    free = cdr(total_cost=price("0", "0.00"), total_energy_cost=None, total_energy=0)
    receipt = receipt_of(free)
    assert (str(receipt.cost), str(receipt.energy_kwh)) == ("0.00", "0")


# --- quarantine


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (cdr(currency="SEK"), "it is in SEK, the session in EUR"),
        (cdr(total_cost=price("-1.00", "-1.24"), total_energy_cost=None), "a negative total without credit"),
        (cdr(total_energy=-1), "total_energy is negative"),
        (cdr(total_time=-1), "a negative time"),
        (cdr(end_date_time="soon"), "cannot be read"),
        (cdr(total_energy_cost=price("9.00", "12.50")), "parts add up to 9.00 excl. VAT, total_cost is 10.00"),
        (cdr(total_energy_cost=price("10.00", "12.00")), "parts add up to 12.00 incl. VAT, total_cost is 12.50"),
        (cdr(total_time_cost=price("1.00", "1.24")), "parts add up to 11.00 excl. VAT, total_cost is 10.00"),
        (cdr(total_cost=None), "total_cost is missing"),
        (cdr(total_cost="12.50"), "total_cost is not a Price"),
        (cdr(total_cost={"incl_vat": 1}), "total_cost has no excl_vat"),
        (cdr(total_cost={"excl_vat": "one"}), "excl_vat is not a number"),
        (cdr(total_cost={"excl_vat": True}), "excl_vat is not a number"),
        (cdr(total_cost=price("1e400")), "excl_vat is out of range"),
        (cdr(total_cost=price("NaN")), "excl_vat is out of range"),
        (cdr(total_energy=None), "total_energy is missing"),
        (cdr(currency=None), "currency is missing"),
        ({**cdr(), "credit": True}, "a Credit CDR without credit_reference_id"),
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_must_not_be_charged_goes_to_quarantine(body: dict[str, Any] | str, problem: str) -> None:
    bill = bill_of(body)
    assert problem in next(iter(bill.problems.values()))
    assert bill.last is None
    assert make_receipt(SESSION, bill, status=PaymentStatus.PENDING, version=1) is None


@pytest.mark.parametrize(
    "body",
    [
        cdr(total_energy_cost=price("10.009", "12.509")),  # a cent
        cdr(total_cost=price("1000.00", "1240.00"), total_energy_cost=price("1004.99", "1240.00")),  # 0.5 %
        # §11.3.1: a floor lifts the total; excl. and incl. VAT each have their own.
        cdr(total_cost=price("12.00", "12.50"), tariffs=[tariff("0.32", min_price={"excl_vat": 12, "incl_vat": 12.5})]),
        cdr(tariffs=7),
        cdr(currency="eur"),
    ],
)
def test_what_adds_up_within_tolerance_or_by_its_own_tariff_is_billed(body: dict[str, Any]) -> None:
    assert bill_of(body).in_force is not None


# --- several CDRs


def test_a_credit_takes_its_original_back() -> None:
    bill = bill_of(cdr(), credit())
    assert (str(bill.cost), bill.in_force, bill.problems) == ("0.00", None, {})


@pytest.mark.parametrize(
    "of_dialect",
    [
        credit(total="12.50"),  # a CPO that does not negate
        credit(total_energy_cost=price("-10.00", "-12.50")),  # one that negates everything
        credit("cdr-1"),  # ids are case-insensitive
    ],
)
def test_every_dialect_of_credit_is_understood(of_dialect: dict[str, Any]) -> None:
    assert bill_of(cdr(), of_dialect).cost == 0


def test_a_credited_session_keeps_its_energy_and_costs_nothing() -> None:
    receipt = receipt_of(cdr(), credit())
    assert (str(receipt.energy_kwh), str(receipt.cost)) == ("31.2500", "0.00")
    assert sum(line.incl_vat or 0 for line in receipt.lines) == 0
    assert receipt.cdr_ids == ["CDR-1", "CDR-1-C"]


def test_original_credit_and_correction_give_the_correction_in_any_order() -> None:
    three = [cdr(), credit(), cdr("CDR-2", "8.00", total_energy_cost=None)]
    for order in itertools.permutations(three):
        bill = bill_of(*order)
        # Whichever comes first, CDR-1 is the one that is credited.
        assert (str(bill.cost), bill.problems, bill.waiting) == ("8.00", {}, {})


def test_a_credit_before_its_original_waits() -> None:
    bill = bill_of(credit())
    assert list(bill.waiting.values()) == ["waits for the CDR that it credits"]
    assert (bill.last, bill.problems) == (None, {})


def test_a_second_cdr_without_a_credit_goes_to_quarantine_and_the_settled_one_stays() -> None:
    second = stored(cdr("CDR-2", "8.00"), after=0)
    first = stored(cdr(), after=5, state=CdrState.SETTLED)
    bill = judge([second, first], SESSION)
    assert problems(bill) == {"CDR-2": "a second CDR while the first is not credited"}
    assert (bill.cost, bill.cdr_ids) == (Decimal("12.50"), ("CDR-1",))


@pytest.mark.parametrize(
    ("bodies", "quarantined"),
    [
        ([cdr(), credit(), credit(cdr_id="CDR-1-D")], {"CDR-1-D": "credits a CDR that is already credited"}),
        (
            [cdr(), credit(total="-3.00", total_energy_cost=None)],
            {"CDR-1-C": "credits another amount than its original's"},
        ),
        ([cdr(), credit(), credit("CDR-1-C")], {"CDR-1-C-C": "credits a Credit CDR"}),
        (
            [cdr(currency="SEK"), credit()],
            {
                "CDR-1": "it is in SEK, the session in EUR",
                "CDR-1-C": "credits a CDR that is itself in quarantine",
            },
        ),
    ],
)
def test_senseless_credits_go_to_quarantine(bodies: list[dict[str, Any]], quarantined: dict[str, str]) -> None:
    assert problems(bill_of(*bodies)) == quarantined


def test_a_duplicate_that_its_cpo_credits_leaves_the_first() -> None:
    bill = bill_of(
        cdr(), cdr("CDR-2", "8.00", total_energy_cost=None), credit("CDR-2", "-8.00", total_energy_cost=None)
    )
    assert (bill.cost, bill.problems) == (Decimal("12.50"), {})


# --- what a person decides


def decided(*cdrs: tuple[dict[str, Any], Dispute | None]) -> Bill:
    each = [replace(stored(body, after=n), dispute=dispute) for n, (body, dispute) in enumerate(cdrs)]
    return judge(each, SESSION)


def test_a_bill_that_a_person_accepts_is_owed_whatever_its_audit_says() -> None:
    wrong = cdr(total_energy_cost=price("9.00", "12.50"))
    assert bill_of(wrong).in_force is None
    bill = decided((wrong, Dispute.ACCEPTED))
    assert (str(bill.cost), bill.problems) == ("12.50", {})
    receipt = make_receipt(SESSION, bill, status=PaymentStatus.PAID, version=1)
    assert receipt is not None
    assert (receipt.audit.verdict, receipt.audit.decision) == ("mismatch", "accepted")


def test_an_accepted_second_bill_takes_the_place_of_the_first() -> None:
    bill = decided((cdr(), None), (cdr("CDR-2", "8.00", total_energy_cost=None), Dispute.ACCEPTED))
    assert (str(bill.cost), list(problems(bill))) == ("8.00", ["CDR-1"])


@pytest.mark.parametrize("body", [cdr(currency="SEK"), cdr(total_cost=price("-1.00", "-1.24")), cdr(total_cost=None)])
def test_what_cannot_be_charged_stays_in_quarantine_though_a_person_accepts_it(body: dict[str, Any]) -> None:
    assert len(decided((body, Dispute.ACCEPTED)).problems) == 1


def test_a_rejected_bill_costs_nothing_and_its_receipt_says_so() -> None:
    receipt = make_receipt(SESSION, decided((cdr(), Dispute.REJECTED)), status=PaymentStatus.NOT_REQUIRED, version=1)
    assert receipt is not None
    assert (str(receipt.energy_kwh), str(receipt.cost), receipt.cdr_ids) == ("31.2500", "0.00", [])
    assert [(line.dimension, line.incl_vat) for line in receipt.lines][-1] == ("REJECTED", Decimal("-12.50"))
    assert receipt.audit.decision == "rejected"


def test_the_credit_of_a_rejected_bill_gives_nothing_and_a_correction_is_billed() -> None:
    bill = decided((cdr(), Dispute.REJECTED), (credit(), None), (cdr("CDR-2", "8.00", total_energy_cost=None), None))
    assert (str(bill.cost), bill.problems, sorted(bill.dues.values())) == ("8.00", {}, [0, 800])


# --- three ways


TARIFF = tariff("0.32")  # 31.25 kWh: 10.00, with VAT 12.50


@pytest.mark.parametrize(
    ("theirs", "ours", "asked", "verdict", "owed"),
    [
        (TARIFF, TARIFF, ("10.00", "12.50"), "match", "12.50"),
        (None, TARIFF, ("10.00", "12.50"), "match", "12.50"),
        (None, None, ("10.00", "12.50"), "unverifiable", "12.50"),
        (TARIFF, TARIFF, ("10.30", "12.88"), "mismatch", "12.88"),  # within policy
        (TARIFF, TARIFF, ("9.00", "11.25"), "mismatch", "11.25"),  # less than it should be
        (TARIFF, TARIFF, ("20.00", "25.00"), "mismatch", "0.00"),
        (tariff("0.64"), TARIFF, ("20.00", "25.00"), "mismatch", "0.00"),  # not the tariff of the start
    ],
)
def test_a_bill_is_held_against_its_own_tariff_and_ours(
    theirs: dict[str, Any] | None, ours: dict[str, Any] | None, asked: tuple[str, str], verdict: str, owed: str
) -> None:
    body = cdr(total_cost=price(*asked), total_energy_cost=price(*asked), tariffs=[theirs] if theirs else None)
    session = replace(SESSION, evidence=Evidence(tariff=ours))
    bill = judge([stored(body)], session)
    assert (next(iter(bill.audits.values())).verdict, str(bill.cost)) == (verdict, owed)


def test_a_verdict_that_was_paid_by_is_not_given_again() -> None:
    paid = replace(stored(cdr(), state=CdrState.SETTLED), audit=CdrAudit(verdict="match", payable=True))
    dearer = replace(SESSION, evidence=Evidence(tariff=tariff("0.01")))
    assert str(judge([paid], dearer).cost) == "12.50"
