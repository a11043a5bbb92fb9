"""What people see: drawings, news and steps, from the API's answers alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType

from charging.cli.view.drawing import battery, curve
from charging.cli.view.news import PHASES, news_between
from charging.cli.view.plan import plan_panel
from charging.cli.view.quote import quote_panel
from charging.cli.view.receipt import receipt_panel
from charging.cli.view.session import STEPS, SessionView, step_of
from charging.cli.view.stack import stack_panel
from charging.session.model import Phase

NOW = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)
ACTIVE: dict[str, Any] = {
    "session_id": "s",
    "status": "active",
    "phase": "charging",
    "energy_kwh": 12.5,
    "power_kw": 6000.0,
    "state_of_charge": 40.0,
    "cost": 4.375,
    "currency": "EUR",
    "network": "Virta",
    "evse_id": "FI-VRT-E12345",
}
RECEIPT: dict[str, Any] = {
    "session_id": "s",
    "network": "Virta",
    "evse_id": "FI-VRT-E12345",
    "energy_kwh": 12.5,
    "duration_minutes": 75,
    "cost": 5.49,
    "currency": "EUR",
    "payment_status": "paid",
}
PLAN: dict[str, Any] = {
    "revision": 2,
    "strategy": "cheapest",
    "starts_at": "2026-03-30T12:00:00Z",
    "departure_time": "2026-03-30T18:00:00Z",
    "feasible": True,
    "energy_kwh": 22.0,
    "shortfall_kwh": 0.0,
    "required_kw": 3.7,
    "projected_finish": "2026-03-30T16:00:00Z",
    "cost": 2.64,
    "cost_if_asap": 4.18,
    "currency": "EUR",
    "price_source": "spot",
    "price_horizon": "2026-03-30T17:00:00Z",
    "provisional": True,
    "carbon_g": 1650.0,
    "periods": [
        {"start_period": 0, "limit": 0.0, "reason": "Waits for cheaper power."},
        {"start_period": 7200, "limit": 11000.0, "reason": "Cheap."},
    ],
    "warnings": [{"code": "forecast", "detail": "Some prices are a forecast."}],
}
PAST = {**PLAN, "revision": 1, "state": "replaced", "replaced_at": "2026-03-30T12:00:00Z"}
PRICES = [
    {"start": "2026-03-30T12:00:00Z", "end": "2026-03-30T14:00:00Z", "price": 0.19},
    {"start": "2026-03-30T14:00:00Z", "end": "2026-03-30T17:00:00Z", "price": 0.12},
]


def drawn(picture: RenderableType) -> str:
    console = Console(width=100, record=True, file=None, quiet=False, color_system=None)
    with console.capture() as capture:
        console.print(picture)
    return capture.get()


@pytest.mark.parametrize(("share", "full"), [(-1, 0), (0, 0), (0.5, 5), (1, 10), (7, 10)])
def test_a_battery_is_filled_to_its_share_and_never_beyond(share: float, full: int) -> None:
    assert battery(share, width=10).plain.count("█") == full


def test_a_power_curve_shows_the_newest_values_with_the_highest_full() -> None:
    assert curve([1, 2, 0, 4, 8], width=3).plain == "▁▅█"
    assert curve([], width=3).plain == "   "


def test_every_phase_has_words_and_a_step() -> None:
    assert set(PHASES) == set(Phase)
    assert {phase for _, phases in STEPS for phase in phases} == set(Phase)


def test_steps_never_go_back() -> None:
    assert step_of({"status": "active", "phase": "charging"}, 0) == 3
    assert step_of({"status": "pending", "phase": "awaiting_cpo"}, 3) == 3
    assert step_of({"status": "completed", "phase": None}, 3) == len(STEPS)


def test_news_are_what_changed_and_nothing_else() -> None:
    assert news_between(ACTIVE, {**ACTIVE, "energy_kwh": 13}) == []
    assert news_between(ACTIVE, {**ACTIVE, "limit_kw": 11.0}) == ["The operator limits the power to 11 kW"]
    assert news_between({**ACTIVE, "limit_kw": 11.0}, ACTIVE) == ["The operator has lifted the limit"]
    failed = {**ACTIVE, "status": "failed", "phase": None, "reason": {"code": "rejected", "detail": "No."}}
    assert news_between(ACTIVE, failed) == ["No. (rejected)", "Session failed"]
    assert news_between(ACTIVE, {**ACTIVE, "safe_to_unplug": True}) == ["Safe to unplug"]


def test_the_live_picture_shows_steps_battery_meter_and_news() -> None:
    view = SessionView("s", speed=60)
    view.update(ACTIVE, NOW)
    view.note("a note", NOW)
    picture = drawn(view)
    for words in ("FI-VRT-E12345", "60 times as fast", "✔ Car plugged in", "40%", "100.0 kW", "12.50 kWh", "4.38 EUR"):
        assert words in picture
    assert "12:00:00  The operator's meter runs" in picture
    assert "12:00:00  a note" in picture


@pytest.mark.parametrize(
    ("costs", "shown"),
    [
        ({"cost_source": "estimate", "cost_if_stopped": 4.5}, "4.38 EUR  our estimate, 4.50 if it stops now"),
        ({"cost_source": "cpo", "cost_if_stopped": 4.375}, "4.38 EUR  by the operator's meter"),
        ({"cost_source": "cdr", "cost_if_stopped": None}, "4.38 EUR  by the operator's bill"),
        ({"cost": None, "cost_source": None, "cost_if_stopped": None}, "not known"),
    ],
)
def test_the_live_picture_says_whose_word_the_cost_is(costs: dict[str, Any], shown: str) -> None:
    view = SessionView("s")
    view.update({**ACTIVE, **costs}, NOW)
    assert shown in drawn(view)


def test_a_quote_shows_the_total_its_lines_and_what_it_rests_on() -> None:
    line = {
        "dimension": "PARKING_TIME",
        "billed_volume": 1.5,
        "price": 6.0,
        "vat": 24.0,
        "cost": 9.0,
        "why": "element 2",
    }
    quote: dict[str, Any] = {
        **{name: ACTIVE[name] for name in ("network", "evse_id", "currency")},
        "connector_type": "CCS",
        "total_cost": {"excl_vat": 9.0, "incl_vat": 11.16},
        "lines": [line],
        "assumptions": ["Charges evenly."],
        "warnings": [{"code": "too_short", "detail": "5 kWh do not fit."}],
    }
    picture = drawn(quote_panel(quote))
    shown = (
        "11.16 EUR",
        "9.00 without VAT",
        "Parking time",
        "24 %",
        "9.0000",
        "Charges evenly.",
        "! 5 kWh do not fit.",
    )
    assert all(words in picture for words in shown)
    assert "The price is not known" in drawn(quote_panel({**quote, "total_cost": None, "lines": []}))
    no_vat = {"excl_vat": 9.0, "incl_vat": None}
    assert "9.00 EUR  without VAT, which is not told" in drawn(quote_panel({**quote, "total_cost": no_vat}))


def test_a_failed_session_is_crossed_where_it_failed() -> None:
    view = SessionView("s")
    view.update({**ACTIVE, "status": "failed", "phase": None}, NOW)
    assert "✘ Funds set aside" in drawn(view)


def test_a_status_on_one_line_is_readable_in_a_log() -> None:
    view = SessionView("s")
    view.update({**ACTIVE, "power_kw": 50.0}, NOW)
    assert view.line().split() == ["active", "charging", "12.50", "kWh", "50.0", "kW", "4.38", "EUR"]


def test_a_receipt_needs_only_what_the_api_promises() -> None:
    picture = drawn(receipt_panel(RECEIPT))
    for words in ("Virta", "12.500 kWh", "1 h 15 min", "5.49 EUR", "PAID"):
        assert words in picture


def test_a_receipt_shows_its_lines_bills_and_verdict() -> None:
    line = {"dimension": "PARKING_TIME", "volume": 0.25, "unit": "h", "excl_vat": 1.0, "vat": None, "incl_vat": None}
    times = {"started_at": "2026-03-30T12:00:00Z", "ended_at": "2026-03-30T12:00:09Z", "duration_minutes": 0}
    more = {"lines": [line], "cdr_ids": ["CDR-1", "CDR-2"], "audit": {"verdict": "mismatch"}, **times}
    picture = drawn(receipt_panel({**RECEIPT, **more, "payment_status": "failed"}))
    for words in ("Parking", "0.25 h", "1.0000", "CDR-1", "CDR-2", "does not add up", "9 s", "FAILED"):
        assert words in picture


def test_the_running_stack_says_where_everything_is() -> None:
    picture = drawn(
        stack_panel({"api": "http://a", "temporal_ui": "http://t", "cpo": None, "neighbours": None, "data": "/d"})
    )
    for words in ("http://a/docs", "http://t", "not started", "/d", "charging demo"):
        assert words in picture


def test_a_plan_shows_when_it_charges_what_that_costs_and_why() -> None:
    past = {**PAST, "replaced_because": "Prices have changed."}
    picture = drawn(plan_panel({"state": "in_force", "plan": PLAN, "earlier": [past], "prices": PRICES}))
    for words in (
        "revision 2, in force",
        "2.64 EUR  (1.54 less than at once)",
        "spot, known until",
        "1.6 kg CO2",
        "0.12 to 0.19 EUR/kWh",
        "Waits for cheaper power.",
        "! Some prices are a forecast.",
        "Prices have changed.",
    ):
        assert words in picture
    power, price = (line for line in picture.splitlines() if "█" in line)
    assert power.count("█") == 40  # four of six hours
    assert price.count("█") == 20


def test_a_plan_that_cannot_be_met_says_how_much_is_missing() -> None:
    short = {**PLAN, "feasible": False, "shortfall_kwh": 4.0, "cost": None, "periods": PLAN["periods"][1:]}
    picture = drawn(plan_panel({"state": "planned", "plan": short, "earlier": [], "prices": []}))
    assert "4.0 kWh short at the departure" in picture
    assert "EUR" not in picture
    nothing = drawn(plan_panel({"state": None, "plan": None, "earlier": [], "prices": []}))
    assert "No charging profile is in force" in nothing
