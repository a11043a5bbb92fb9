"""What no module serves is refused in OCPI's own envelope; the admin's paths keep problem documents."""

import httpx
import pytest

from tests.ocpi.conftest import Emsp, on_sqlite

IDS = {"X-Request-ID": "r-1", "X-Correlation-ID": "c-1"}

pytestmark = on_sqlite


async def ask(emsp: Emsp, method: str, path: str) -> httpx.Response:
    return await emsp.http.request(method, f"{emsp.url}/ocpi/{path}", headers=IDS)


def is_envelope(answer: httpx.Response) -> bool:
    assert {name: answer.headers[name] for name in IDS} == IDS
    return answer.json()["status_code"] == 2000 and "timestamp" in answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "emsp",
        "emsp/",
        "emsp/2.2.1",
        "emsp/2.2.1/",
        "emsp/2.2.1/nothing",
        "emsp/9.9/tariffs/FI/VRT/T1",
        "2.3.0/nothing",
        "versions/2",
    ],
)
async def test_an_unknown_path_is_404_in_an_envelope(emsp: Emsp, path: str) -> None:
    answer = await ask(emsp, "GET", path)
    assert answer.status_code == 404
    assert is_envelope(answer)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "emsp/2.2.1/tariffs/FI/VRT/T1", "DELETE, GET, PUT"),
        ("POST", "emsp/2.1.1/tariffs/FI/VRT/T1/", "DELETE, GET, PATCH, PUT"),
        ("POST", "2.2.1", "GET"),
        ("POST", "versions", "GET"),
        ("DELETE", "versions/", "GET"),
    ],
)
async def test_a_wrong_method_is_405_and_all_methods_of_the_path_are_named(
    emsp: Emsp, method: str, path: str, allowed: str
) -> None:
    answer = await ask(emsp, method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert is_envelope(answer)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "nothing", 404), ("GET", "register", 405)])
async def test_the_admins_paths_keep_problem_documents(emsp: Emsp, method: str, path: str, status: int) -> None:
    answer = await ask(emsp, method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_id_with_a_line_break_is_an_id(emsp: Emsp) -> None:
    answer = await ask(emsp, "GET", "emsp/2.2.1/sessions/FI/VRT/S%0A1")
    assert answer.status_code == 401  # the path is known, the caller is not
    assert is_envelope(answer)
