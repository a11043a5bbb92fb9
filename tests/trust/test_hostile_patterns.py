"""Texts that make a pattern run for ever (docs/trust.md 2.50)."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from api import problems, schemas
from charging.ocpi import evse_id, object_findings, wire

LENGTH = 50_000
PATIENCE_S = 0.5  # a pattern that looks at each text again from each place would need minutes

READERS = {
    "key of an EVSE id": evse_id.lookup_key,
    "segments of an EVSE id": evse_id.segments,
    "operator of an EVSE id": evse_id.operator_prefix,
    "EVSE id without its connector": evse_id.without_last_segment,
    "OCPI DateTime": wire.parse_datetime,
    "link to the next page": wire.next_link,
    "credentials token": wire.token_candidates,
    "start of a robot": lambda text: schemas.StartRequest.model_validate({"evse_id": text}),
    "DateTime of a robot": lambda text: schemas.ReservationRequest.model_validate({"evse_id": "x", "expires_at": text}),
    "name of a field": problems._FIELD_NAME.fullmatch,
    "DateTime for the doctor": object_findings._MOMENT.fullmatch,
    "degrees for the doctor": object_findings._DEGREES.fullmatch,
}
TEXTS = {
    "one letter": "A" * LENGTH,
    "separators": "*-_ " * (LENGTH // 4),
    "an EVSE id that does not end": "FI*VRT*E" + "1*" * (LENGTH // 2) + "!",
    "digits": "1" * LENGTH,
    "blanks": " " * LENGTH + "x",
    "a date that does not end": "2026-03-30T12:00:00." + "0" * LENGTH,
    "an offset that does not end": "2026-03-30T12:00:00+" + "0" * LENGTH,
    "links": "<" * LENGTH + '; rel="next"',
    "parameters of links": "<u>" + "; a=b" * (LENGTH // 5),
    "a token": "Token " + "=" * LENGTH,
    "a number": "-1." + "5" * LENGTH + "x",
}


@pytest.mark.trust("2.28", "2.50")
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_text_of_50_kb_is_read_or_refused_at_once(read: Callable[[str], Any]) -> None:
    for name, text in TEXTS.items():
        began = time.perf_counter()
        try:
            read(text)
        except ValueError:
            pass
        assert time.perf_counter() - began < PATIENCE_S, name
