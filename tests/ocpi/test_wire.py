"""What every OCPI message has in common (OCPI 2.2.1 §4, §16)."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from charging.ocpi import wire
from charging.ocpi.models import Credentials, Price, Session, Token, to_wire
from tests.peer import ScriptedCpo


class TestDateTime:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2015-06-29T20:39:09Z", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29T20:39:09", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29T20:39:09.2", datetime(2015, 6, 29, 20, 39, 9, 200000, tzinfo=UTC)),
            ("2015-06-29T20:39:09.123456789Z", datetime(2015, 6, 29, 20, 39, 9, 123456, tzinfo=UTC)),
            ("2015-06-29T22:39:09+02:00", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29T20:39:09+00:00", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29T18:09:09-0230", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29 20:39:09Z", datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)),
            ("2015-06-29T20:39Z", datetime(2015, 6, 29, 20, 39, tzinfo=UTC)),
            ("1970-1-1T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
            ("2015-06-29T20:39:66Z", datetime(2015, 6, 29, 20, 40, 6, tzinfo=UTC)),
            # Dates that nobody has set: there is no room around them to reckon in.
            ("0001-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
            ("0001-01-01T00:00:00+02:00", datetime(1969, 12, 31, 22, tzinfo=UTC)),
            ("9999-12-31T23:59:59.999Z", datetime(9998, 12, 31, tzinfo=UTC)),
        ],
    )
    def test_slips_of_real_peers_are_understood(self, text: str, moment: datetime) -> None:
        assert wire.parse_datetime(text) == moment

    @pytest.mark.parametrize("junk", ["", "yesterday", "2015-13-01T00:00:00Z", "9999-12-31T23:59:99Z", 5, None, True])
    def test_junk_is_no_datetime(self, junk: Any) -> None:
        with pytest.raises(ValueError, match=r"."):
            wire.parse_datetime(junk)

    def test_what_we_send_is_utc_with_z(self) -> None:
        helsinki = timezone(timedelta(hours=2))
        assert wire.format_datetime(datetime(2026, 1, 1, 14, 0, tzinfo=helsinki)) == "2026-01-01T12:00:00Z"
        assert wire.format_datetime(datetime(2026, 1, 1, 12, 0, 0, 120000, tzinfo=UTC)) == "2026-01-01T12:00:00.120Z"

    def test_a_naive_moment_is_a_bug(self) -> None:
        with pytest.raises(ValueError, match="naive"):
            wire.format_datetime(datetime(2026, 1, 1))

    @given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9998, 12, 30)))
    def test_what_we_send_we_read_back_to_the_millisecond(self, moment: datetime) -> None:
        assert abs(wire.parse_datetime(wire.format_datetime(moment)) - moment) < timedelta(milliseconds=1)


class TestJson:
    def test_numbers_are_exact(self) -> None:
        assert wire.loads(b'{"kwh": 0.1, "n": 3}') == {"kwh": Decimal("0.1"), "n": 3}
        assert wire.dumps({"kwh": Decimal("0.10"), "n": Decimal(3)}) == b'{"kwh":0.1,"n":3}'

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
    def test_decimals_survive_the_wire(self, number: Decimal) -> None:
        assert Decimal(wire.loads(wire.dumps([number]))[0]) == number

    @pytest.mark.parametrize(
        "raw",
        [
            *(b"", b"{", b"NaN", b"[Infinity]", b"1e400", b"1e-400", b"1e" + b"9" * 40),
            *(b'"\\u0000"', b'"\\ud800"', b"\xff"),
            *(b"[" * 100_000, b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65),
        ],
    )
    def test_what_no_store_can_keep_is_malformed(self, raw: bytes) -> None:
        with pytest.raises(wire.MalformedJson):
            wire.loads(raw)

    def test_a_byte_order_mark_and_whole_surrogate_pairs_are_fine(self) -> None:
        assert wire.loads(b'\xef\xbb\xbf{"a": "\\ud83d\\ude97"}') == {"a": "🚗"}

    def test_absurdly_long_whole_numbers_are_malformed(self) -> None:
        for digits in (101, 5000):
            with pytest.raises(wire.MalformedJson):
                wire.loads(b"9" * digits)

    def test_as_much_nesting_as_any_object_needs_is_fine(self) -> None:
        assert wire.dumps(wire.loads(b"[" * 64 + b"]" * 64)) == b"[" * 64 + b"]" * 64


class TestToken:
    def test_is_sent_as_base64_with_padding(self) -> None:
        assert wire.encode_token("example-token") == "Token ZXhhbXBsZS10b2tlbg=="

    @pytest.mark.parametrize(
        "header",
        [
            "Token ZXhhbXBsZS10b2tlbg==",
            "Token ZXhhbXBsZS10b2tlbgo=",  # the specification's own samples hold a line end
            "Token example-token",
            "token  ZXhhbXBsZS10b2tlbg",
        ],
    )
    def test_is_understood_in_the_forms_that_peers_use(self, header: str) -> None:
        assert "example-token" in wire.token_candidates(header)

    @pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Bearer ZXhhbXBsZS10b2tlbg=="])
    def test_is_nothing_else(self, header: str | None) -> None:
        assert wire.token_candidates(header) == []


class TestEnvelope:
    def test_leaves_out_what_is_not_there(self) -> None:
        now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        assert wire.envelope(now=now) == {"status_code": 1000, "timestamp": "2026-01-01T12:00:00Z"}
        assert wire.envelope([], now=now)["data"] == []

    @pytest.mark.parametrize(
        "body", [None, [], "x", {}, {"data": 1}, *({"status_code": code} for code in ("no", True, "9" * 5000))]
    )
    def test_is_not_seen_where_there_is_none(self, body: Any) -> None:
        assert wire.read_envelope(body) is None

    def test_is_read_leniently(self) -> None:
        envelope = wire.read_envelope({"status_code": "1001", "status_message": 7})
        assert envelope == wire.Envelope(1001, None, "7")
        assert envelope.is_success


class TestUrls:
    def test_are_joined_with_one_slash_and_ids_are_encoded(self) -> None:
        assert wire.join_url("https://x/commands/", "START_SESSION") == "https://x/commands/START_SESSION"
        assert wire.join_url("https://x", "a*b", "c|d/e f") == "https://x/a%2Ab/c%7Cd%2Fe%20f"

    @pytest.mark.parametrize(
        ("link", "url"),
        [
            ('<https://x/l?offset=5>; rel="next"', "https://x/l?offset=5"),
            ("<https://x/l?offset=5>; rel=next", "https://x/l?offset=5"),
            ('<https://x/1>; rel="prev", <https://x/3>; rel="next"', "https://x/3"),
            ('<https://x/1>; rel="prev"', None),
            ("", None),
            (None, None),
        ],
    )
    def test_of_the_next_page_are_found(self, link: str | None, url: str | None) -> None:
        assert wire.next_link(link) == url


class TestModels:
    def test_unknown_fields_and_enum_values_survive(self) -> None:
        body = {**ScriptedCpo().session(), "status": "HIBERNATING", "vendor": {"x": Decimal("1.5")}, "meter_id": None}
        session = Session.model_validate(body)
        sent = to_wire(session)
        assert sent["status"] == "HIBERNATING"
        assert sent["vendor"] == {"x": 1.5}
        assert "meter_id" not in sent

    def test_null_lists_are_empty_and_numbers_may_be_text(self) -> None:
        body = {**ScriptedCpo().session(), "charging_periods": None, "kwh": "1.50", "id": 7}
        session = Session.model_validate(body)
        assert (session.charging_periods, session.kwh, session.id) == ([], Decimal("1.50"), "7")

    def test_a_price_may_be_a_bare_number(self) -> None:
        assert Price.model_validate(Decimal("2.50")) == Price(excl_vat=Decimal("2.50"))

    @pytest.mark.parametrize("kwh", ["NaN", "Infinity", "1e30", "x", None])
    def test_a_number_is_a_number(self, kwh: Any) -> None:
        with pytest.raises(ValidationError):
            Session.model_validate({**ScriptedCpo().session(), "kwh": kwh})

    def test_a_credentials_token_is_printable_ascii(self) -> None:
        with pytest.raises(ValidationError):
            Credentials.model_validate({"token": "a b", "url": "https://x", "roles": []})

    def test_what_goes_out_has_no_nulls(self) -> None:
        token = Token(
            country_code="FI",
            party_id="RBT",
            uid="R7K2",
            type="AD_HOC_USER",
            contract_id="FI-RBT-C1",
            issuer="Robot Charging",
            valid=True,
            whitelist="NEVER",
            last_updated=datetime(2026, 1, 1, 12, tzinfo=UTC),
        )
        assert to_wire(token)["last_updated"] == "2026-01-01T12:00:00Z"
        assert None not in to_wire(token).values()
