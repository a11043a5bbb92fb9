"""EVSE ids in all spellings, and connectors."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charging.ocpi.evse_id import (
    EvseConnector,
    choose_connector,
    lookup_key,
    operator_prefix,
    read_connector,
    without_last_segment,
)
from charging.ocpi.models import Connector
from tests.peer import connector


@pytest.mark.parametrize(
    "spelling", ["FI*VRT*E12345", "FIVRTE12345", "fi*vrt*e12345", "FI-VRT-E12345", " FI VRT E12345", "fi_vrt_e12345"]
)
def test_all_spellings_have_one_key(spelling: str) -> None:
    assert lookup_key(spelling) == "FIVRTE12345"


@pytest.mark.parametrize("spelling", ["+49*810*000*438", "49*810*000*438", "49810000438"])
def test_the_old_din_form_has_one_key(spelling: str) -> None:
    assert lookup_key(spelling) == "49810000438"


@given(st.text(alphabet="ABCabc019*-_ +", max_size=40))
def test_a_key_is_its_own_key(text: str) -> None:
    assert lookup_key(lookup_key(text)) == lookup_key(text)


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("FI*VRT*E12345*1", "FI*VRT*E12345"),
        ("FI-VRT-E12345-1", "FI-VRT-E12345"),
        ("FI*VRT*E12345", None),
        ("FIVRTE12345", None),
        ("", None),
    ],
)
def test_an_id_that_names_a_connector_is_cut_back_to_its_evse(text: str, shorter: str | None) -> None:
    assert without_last_segment(text) == shorter


def test_hostile_ids_take_no_time() -> None:
    text = "*" * 50_000 + "!"
    assert lookup_key(text) == "!"
    without_last_segment(text)


def _connector(standard: str, **fields: object) -> EvseConnector:
    return read_connector(Connector.model_validate(connector(standard=standard, **fields)))


class TestChoice:
    @pytest.mark.parametrize(
        ("wanted", "standard"),
        [
            ("CCS", "IEC_62196_T2_COMBO"),
            ("ccs", "IEC_62196_T1_COMBO"),
            ("CHAdeMO", "CHADEMO"),
            ("Type2", "IEC_62196_T2"),
            ("type 2", "IEC_62196_T2"),
            ("Type1", "IEC_62196_T1"),
            ("NACS", "TESLA_S"),
            ("NACS", "SAE_J3400"),
            ("IEC_62196_T2_COMBO", "IEC_62196_T2_COMBO"),
            ("IEC_60309_2_three_32", "IEC_60309_2_three_32"),
        ],
    )
    def test_a_plug_means_its_connector_types(self, wanted: str, standard: str) -> None:
        there = [_connector("DOMESTIC_F", id="9"), _connector(standard)]
        chosen = choose_connector(there, wanted)
        assert chosen is not None
        assert chosen.standard == standard

    def test_the_only_connector_needs_no_wish(self) -> None:
        only = _connector("CHADEMO")
        assert choose_connector([only], None) == only
        assert choose_connector([only, _connector("IEC_62196_T2")], None) is None
        assert choose_connector([], None) is None

    def test_nothing_fits_nothing(self) -> None:
        assert choose_connector([_connector("CHADEMO")], "CCS") is None

    def test_the_strongest_of_those_that_fit(self) -> None:
        weak, strong = _connector("CHADEMO"), _connector("CHADEMO", id="2", max_electric_power=200_000)
        assert choose_connector([weak, strong], "CHAdeMO") == strong

    def test_connectors_are_named_as_robots_name_them(self) -> None:
        names = [_connector(s).plug for s in ("IEC_62196_T1_COMBO", "IEC_62196_T2", "CHADEMO", "TESLA_S", "GBT_DC")]
        assert names == ["CCS", "Type2", "CHAdeMO", "NACS", "GBT_DC"]


@pytest.mark.parametrize(
    ("evse_id", "prefix"),
    [
        ("FI*VRT*E12345", "FIVRT"), ("fi-vrt-e12345", "FIVRT"), ("FIVRTE1", "FIVRT"), (" FI VRT E1", "FIVRT"),
        ("+49*810*000*438", "49810"), ("49-810-1", "49810"),
        ("3256", None), ("", None), ("FI*VRT", None), ("FI*VRT*C12345", None), ("hello", None), ("station::1", None),
    ],
)  # fmt: skip
def test_the_operator_is_a_hint_that_only_evse_ids_give(evse_id: str, prefix: str | None) -> None:
    assert operator_prefix(evse_id) == prefix


class TestPower:
    @pytest.mark.parametrize(
        ("power_type", "volts", "amperes", "watts", "phases", "unit"),
        [
            ("AC_1_PHASE", 230, 16, 3680, 1, "A"),
            ("AC_2_PHASE", 230, 16, 7360, 2, "A"),
            ("AC_3_PHASE", 230, 32, 22080, 3, "A"),
            ("AC_3_PHASE", 400, 32, 22176, 3, "A"),  # between lines, though the specification wants line to neutral
            ("DC", 400, 125, 50000, 1, "W"),
        ],
    )
    def test_is_volts_times_amperes_times_phases(
        self, power_type: str, volts: int, amperes: int, watts: int, phases: int, unit: str
    ) -> None:
        read = _connector("X", power_type=power_type, max_voltage=volts, max_amperage=amperes, max_electric_power=None)
        assert (read.max_power_w, read.phases, read.rate_unit) == (Decimal(watts), phases, unit)

    @pytest.mark.parametrize(
        ("power_type", "volts", "amperes", "told", "watts", "voltage"),
        [
            ("AC_3_PHASE", 0, 0, None, 43_000, 230),
            ("DC", 0, 0, 0, 400_000, 400),
            ("DC", -400, 125, -1, 50_000, 400),
            ("DC", 920, 500, 350, 460_000, 920),  # kW, where W are meant
            ("AC_3_PHASE", 0, 32, None, 22_080, 230),
        ],
    )
    def test_is_a_guess_that_cuts_nothing_off_where_the_cpo_does_not_tell(
        self, power_type: str, volts: int, amperes: int, told: int | None, watts: int, voltage: int
    ) -> None:
        read = _connector("X", power_type=power_type, max_voltage=volts, max_amperage=amperes, max_electric_power=told)
        assert (read.max_power_w, read.voltage) == (watts, voltage)

    def test_a_guess_is_known_as_one_and_chosen_last(self) -> None:
        guess = _connector("CHADEMO", max_voltage=0, max_amperage=0, max_electric_power=None)
        told = _connector("CHADEMO", id="2", max_electric_power=50_000)
        assert (guess.is_power_told, told.is_power_told) == (False, True)
        assert choose_connector([guess, told], "CHAdeMO") == told

    def test_is_what_the_cpo_says_where_it_says(self) -> None:
        assert _connector("X", max_electric_power=11000).max_power_w == 11000
