"""NUL in a URL: PostgreSQL has no text with it, so nothing has such a name; the fault is the caller's."""

import pytest

from tests.api.conftest import RunningApi

PATHS = (
    *(("GET", "/v1/sessions/%00/status"), ("POST", "/v1/sessions/a%00b/stop"), ("GET", "/v1/sessions/%00/receipt")),
    *(("GET", "/v1/sessions/%00/plan"), ("GET", "/v1/evses/FI*VRT*E1%00"), ("GET", "/v1/reservations/%00")),
    *(("DELETE", "/v1/reservations/%00"), ("DELETE", "/v1/webhooks/%00"), ("GET", "/v1/sessions?network=%00")),
    *(("GET", "/v1/sessions?cursor=%00"), ("GET", "/v1/sessions?job_id=%00"), ("GET", "/v1/sessions/%00/events")),
    ("GET", "/v1/evses?lat=65&lng=25&connector_type=%00"),
)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_nul_is_not_found_or_not_valid(api: RunningApi, method: str, path: str) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code in (404, 405, 422), answer.text
