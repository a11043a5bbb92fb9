"""``charging price``: JSON in, JSON out, in the words of all three versions of OCPI."""

from pathlib import Path
from typing import Any

import pytest

from charging.ocpi.versions import dialect
from charging.ocpi.wire import dumps
from tests.cli.command import Command, Outcome
from tests.tariffs.ocpi import Json, cdr, component, element, parked, period, price, tariff
from tests.tariffs.vectors import VECTORS, Vector

ENERGY = tariff(element(component("ENERGY", "0.25", 10, 100)))


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


async def priced(command: Command, body: Json, **more: Any) -> Any:
    done = await asked(command, {"cdr": body, "time_zone": "Europe/Berlin", **more})
    assert (done.code, done.err) == (0, "")
    return done.json


async def asked(command: Command, request: Any) -> Outcome:
    return await command("price", stdin=dumps(request).decode())


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_every_printed_price_comes_out_in_the_words_of_each_version(command: Command, version: str) -> None:
    for vector in VECTORS:
        if version in vector.versions:
            await check(command, vector, version)


async def check(command: Command, vector: Vector, version: str) -> None:
    body = dialect(version).write("cdr", vector.cdr())
    assert ("total_cost" in body, "charging_periods" in body) == (True, True)
    told: Json = {"reservation_expired": vector.expired, "rules": vector.rules.model_dump(exclude_defaults=True)}
    if version == "2.3.0":  # one of them with a tariff of its own
        told["tariff"] = dialect(version).write("tariff", vector.tariff)
    answer = await priced(command, body, **told)
    assert answer["total_cost"]["excl_vat"] == float(vector.excl), vector.name
    if vector.incl is not None and version != "2.1.1":  # which has no VAT
        assert answer["total_cost"]["incl_vat"] == float(vector.incl), vector.name
    assert (answer["verdict"], answer["differences"]) == ("match", []), vector.name


async def test_each_line_says_what_was_used_what_is_billed_and_why(command: Command) -> None:
    by = tariff(element(component("FLAT", "0.50", 20)), element(component("ENERGY", "0.25", 10, 100), min_kwh=1))
    answer = await priced(command, cdr(period(60, "3.44")), tariff=by)
    flat, energy = answer["lines"]
    assert (flat["dimension"], flat["volume"], flat["billed_volume"], flat["cost"]) == ("FLAT", 1, 1, 0.5)
    assert {name: energy[name] for name in ("dimension", "volume", "billed_volume", "price", "vat", "cost")} == {
        "dimension": "ENERGY",
        "volume": 2.44,
        "billed_volume": 2.5,
        "price": 0.25,
        "vat": 10,
        "cost": 0.625,
    }
    assert energy["why"] == ("element 2 (energy from 1 kWh); 60 Wh added: the session's total in steps of 100 Wh")
    assert answer["total_cost"] == {"excl_vat": 1.13, "incl_vat": 1.29}
    assert answer["verdict"] == "unverifiable"


async def test_a_bill_that_asks_for_more_is_a_mismatch_in_words(command: Command) -> None:
    body = cdr(period(60, 20), total_cost=price("5.60", "6.16"), total_energy_cost=price("5.00", "5.50"))
    answer = await priced(command, body, tariff=ENERGY)
    assert answer["verdict"] == "mismatch"
    assert answer["differences"] == [
        "the parts add up to 5.00 excl. VAT, total_cost is 5.60",
        "the parts add up to 5.50 incl. VAT, total_cost is 6.16",
        "total_cost excl. VAT is 5.60 EUR, by the tariff it is 5.00",
        "total_cost incl. VAT is 6.16 EUR, by the tariff it is 5.50",
    ]
    answer = await priced(command, {**body, "currency": "SEK"}, tariff=ENERGY)
    assert answer["differences"][-1] == "what is asked is in SEK, the tariff in EUR"


async def test_2_1_1_takes_the_first_element_that_matches_as_a_whole(command: Command) -> None:
    free_parking_first = tariff(
        element(component("PARKING_TIME", 0), max_duration=3600),
        element(component("ENERGY", "0.40"), component("PARKING_TIME", 6)),
    )
    body = cdr(period(30, 5), parked(50), tariffs=[free_parking_first], total_cost=price(4))
    assert (await priced(command, body))["total_cost"]["excl_vat"] == 4
    of_211 = dialect("2.1.1").write("cdr", body)
    assert (await priced(command, of_211))["total_cost"]["excl_vat"] == 2
    assert (await priced(command, of_211, rules={"whole_elements": False}))["total_cost"]["excl_vat"] == 4


@pytest.mark.parametrize(
    ("tax_included", "vat", "excl", "incl"),
    [("YES", None, None, 5.25), ("YES", 5, 5, 5.25), ("NO", None, 5.25, None), ("N/A", None, 5.25, 5.25)],
)
async def test_2_3_0_says_whether_a_price_includes_tax(
    command: Command, tax_included: str, vat: float | None, excl: float | None, incl: float | None
) -> None:
    hourly = tariff(element(component("TIME", "2.10", vat)), tax_included=tax_included, max_price={"before_taxes": 9})
    total = {"before_taxes": 5 if incl == 5.25 and excl != 5.25 else 5.25}
    taxes = [{"name": "GST", "amount": 0.25}] if total["before_taxes"] == 5 else [{"name": "none", "amount": 0}]
    answer = await priced(command, cdr(period(150, 11), tariffs=[hourly], total_cost={**total, "taxes": taxes}))
    assert answer["total_cost"] == {"excl_vat": excl, "incl_vat": incl}
    assert answer["verdict"] == "match"


async def test_a_session_is_priced_from_its_energy_and_length_where_it_has_no_periods(command: Command) -> None:
    session = {
        "start_date_time": "2026-03-02T10:00:00Z",
        "last_updated": "2026-03-02T11:30:00Z",
        "kwh": 12,
        "currency": "EUR",
        "status": "ACTIVE",
    }
    by = tariff(element(component("ENERGY", "0.50", 20), component("TIME", 2, 20)))
    answer = await priced(command, session, tariff=by)
    assert answer["total_cost"] == {"excl_vat": 9, "incl_vat": 10.8}
    assert [line["volume"] for line in answer["lines"]] == [12, 1.5]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "there is no tariff"),
        ({"tariff": {"id": "1", "currency": "EUR", "tariff_alt_url": "https://cpo.example/prices"}}, "has no elements"),
        ({"tariff": tariff(element(component("TIME", 1), min_current=16))}, "depends on current"),
        ({"tariff": ENERGY, "time_zone": None}, "no total_cost"),
        ({"tariff": tariff(element(component("ENERGY", 1), start_time="07:00")), "time_zone": None}, "time zone"),
    ],
)
async def test_what_nobody_can_price_is_unverifiable_never_wrong(command: Command, request_: Json, words: str) -> None:
    answer = await priced(command, cdr(period(60, 20)), **request_)
    assert answer["verdict"] == "unverifiable"
    assert words in answer["differences"][0]


@pytest.mark.parametrize(
    "request_",
    [
        [],
        {"tariff": ENERGY},
        {"cdr": 5},
        {"cdr": {}},
        {"cdr": cdr(period(60, 20)), "tarif": ENERGY},
        {"cdr": cdr(period(60, 20)), "tariff": []},
        {"cdr": cdr(period(60, 20)), "tariff": tariff({"price_components": [{"type": "ENERGY", "price": "dear"}]})},
        {"cdr": cdr(period(60, 20)), "tariff": tariff(element(component("ENERGY", 1), start_time="noon"))},
        {"cdr": cdr(period(60, 20)), "tariff": ENERGY, "time_zone": "Mars/Olympus"},
        {"cdr": cdr(period(60, 20)), "tariff": ENERGY, "time_zone": 5},
        {"cdr": cdr(period(60, 20)), "tariff": ENERGY, "reservation_expired": 1},
        {"cdr": cdr(period(60, 20)), "tariff": ENERGY, "rules": {"flat": "twice"}},
        {"cdr": cdr(period(60, 20), end_date_time="2026-01-01T00:00:00Z")},
        {"cdr": cdr(period(60, 20), charging_periods=[{"dimensions": [{"type": "ENERGY", "volume": "much"}]}])},
        {"cdr": cdr(period(60, 20), total_cost="dear"), "tariff": ENERGY},
    ],
    ids=range(15),
)
async def test_input_that_cannot_be_read_is_one_line_on_stderr_and_exit_2(command: Command, request_: Any) -> None:
    done = await asked(command, request_)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("invalid_request: ")


async def test_what_is_not_json_is_refused(command: Command) -> None:
    done = await command("price", stdin='{"cdr": NaN}')
    assert (done.code, done.out, done.err) == (2, "", "invalid_request: the body is not JSON\n")
