"""GET /v1/sessions and …/receipt: what a user, or a robot that has rebooted, finds again."""

from typing import Any

import pytest

from charging.store import tables
from tests.api.conftest import RunningApi
from tests.api.test_status import add_receipt


async def history(api: RunningApi, **query: Any) -> list[str]:
    answer = await api.http.get("/v1/sessions", params=query)
    assert answer.status_code == 200, answer.text
    return [session["session_id"] for session in answer.json()["sessions"]]


async def started(api: RunningApi, **body: Any) -> str:
    """A session on a charger that is free again."""
    async with api.database.write() as store:
        await store.execute(tables.evse_claims.delete())
    return await api.started(**body)


async def test_the_history_is_ones_own_newest_first_in_pages(api: RunningApi) -> None:
    ids = [await started(api) for _ in range(5)]
    await api.start(sub="somebody-else", evse_id="FI-VRT-E12346")
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.http.get("/v1/sessions", params={"limit": 2, **cursor})).json()
        found += [session["session_id"] for session in page["sessions"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == ids[::-1]


async def test_a_rebooted_robot_finds_its_session(api: RunningApi) -> None:
    lost = await started(api, robot_id="r2", job_id="job-7", evse_id="FI*VRT*E12345")
    ended = await started(api, robot_id="r2")
    other = await started(api, robot_id="r3", evse_id="FI-VRT-E12346")
    await api.set(ended, status="completed")
    assert await history(api, active="true", robot_id="r2") == [lost]
    assert await history(api, active="false") == [ended]
    assert await history(api, status="completed") == [ended]
    assert await history(api, job_id="job-7") == [lost]
    assert await history(api, evse_id="fi-vrt-e12346") == [other]
    assert await history(api, evse_id="FIVRTE12345") == [ended, lost]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "charging"},
        {"limit": 0},
        {"limit": 101},
        {"active": "perhaps"},
        {"robot": "r2"},
        {"cursor": "nonsense"},
        {"cursor": "4pi6"},
        {"evse_id": "a\x00b"},
        {"robot_id": ""},
    ],
)
async def test_a_filter_that_means_nothing_is_422(lite: RunningApi, query: dict[str, Any]) -> None:
    answer = await lite.http.get("/v1/sessions", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


@pytest.mark.parametrize("status", ["completed", "failed", "stopping"])
async def test_a_receipt_is_the_newest_version_in_json_numbers_whatever_the_status(
    api: RunningApi, status: str
) -> None:
    session_id = await api.started()
    await api.set(session_id, status=status)
    await add_receipt(api, session_id)
    await add_receipt(api, session_id, version=2, cost="5.32", payment_status="refunded")
    receipt = (await api.http.get(f"/v1/sessions/{session_id}/receipt")).json()
    assert (receipt["energy_kwh"], receipt["cost"], receipt["duration_minutes"]) == (41.5, 5.32, 52)
    assert (receipt["session_id"], receipt["network"], receipt["evse_id"]) == (session_id, "Virta", "FI-VRT-E12345")
    assert (receipt["currency"], receipt["payment_status"], receipt["version"]) == ("EUR", "refunded", 2)
    assert receipt["cdr_ids"] == ["CDR1"]


async def test_each_version_of_a_receipt_is_kept_and_can_be_printed(lite: RunningApi) -> None:
    session_id = await lite.started()
    await add_receipt(lite, session_id)
    await add_receipt(lite, session_id, version=2, cost="5.32", amount_due="5.32")
    url = f"/v1/sessions/{session_id}/receipt"
    first, none = [await lite.http.get(url, params={"version": version}) for version in (1, 3)]
    assert (first.json()["cost"], first.json()["version"]) == (17.85, 1)
    assert (none.status_code, none.json()["code"]) == (404, "receipt_not_found")
    printed = await lite.http.get(f"{url}.pdf")
    assert printed.headers["content-type"] == "application/pdf"
    assert printed.headers["content-disposition"] == f'attachment; filename="receipt-{session_id}-2.pdf"'
    assert printed.content.startswith(b"%PDF-")
    assert (await lite.http.get(f"{url}.pdf", params={"version": 0})).status_code == 422


async def test_row_54_only_a_payment_that_was_declined_is_asked_for_again(lite: RunningApi) -> None:
    session_id = await lite.started()
    url = f"/v1/sessions/{session_id}/payment/retry"
    assert (await lite.http.post(url)).json()["code"] == "receipt_not_ready"
    await add_receipt(lite, session_id)
    answer = await lite.http.post(url)
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_retryable")
    await add_receipt(lite, session_id, version=2, payment_status="failed")
    answer = await lite.http.post(url)
    assert (answer.status_code, answer.json()) == (202, {"session_id": session_id, "payment_status": "pending"})
    assert await lite.count(tables.inbox, session_id=session_id, kind="cdr") == 1
