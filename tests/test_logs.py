"""What may never be read in a log, however it got there; and that the rest stays readable."""

import asyncio
import base64
import io
import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from charging import logs
from tests.serving import free_port
from tests.stack import user_token
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
JWT = user_token("ada@example.com")
OCPI_TOKEN = "tOk3nOfThePeer" + "x9Y" * 10
WEBHOOK = "whsec_" + base64.b64encode(b"a secret of a webhook, 32 bytes.").decode()
KEY = secrets.token_hex(32)
CARD, CARD_IN_GROUPS = "4111111111111111", "5555 5555 5555 4444"


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (JWT, f"refused {JWT} at once"),
        (JWT, f"GET /v1/sessions?access_token={JWT}&limit=2 HTTP/1.1"),
        (JWT, f"{{'authorization': 'Bearer {JWT}'}}"),
        ("abc123", "Authorization: Bearer abc123"),
        ("dXNlcjpwYXNz", "authorization: Basic dXNlcjpwYXNz"),
        (OCPI_TOKEN, f"[(b'authorization', b'Token {OCPI_TOKEN}'), (b'host', b'x')]"),
        (OCPI_TOKEN, f"the peer's {OCPI_TOKEN} is unknown"),
        ("TOKEN-A", "credentials: {'token': 'TOKEN-A', 'url': 'https://x'}"),
        ("TOKEN-A", r'{"message": "body {\"token\": \"TOKEN-A\"}"}'),
        ("TOKEN-A", "Credentials(token='TOKEN-A', url='https://x')"),
        ("VE9LRU4tQQ", "Authorization: Token VE9LRU4tQQ=="),
        ("hunter2!", "admin_key=hunter2! is short"),
        ("hunter2!", "'X-API-Key': 'hunter2!'"),
        (KEY, f"the key {KEY} is as `openssl rand -hex 32` makes one"),
        (KEY, f"CHARGING_SECRET_KEYS={KEY[::-1]},{KEY}"),
        ("hunter2!", "client_secret: hunter2!"),
        ("hunter2", "postgresql+psycopg://charging:hunter2@store:5432/charging"),
        (WEBHOOK, f"signing with {WEBHOOK}"),
        ("ada@example.com", "mail to ada@example.com, please"),
        ("ada.l+x@mail.example.co", "<ada.l+x@mail.example.co>"),
        (CARD, f"card {CARD} declined"),
        (CARD_IN_GROUPS, f"card {CARD_IN_GROUPS} declined"),
        ("hunter2", "1 validation error for Settings\n  Value error [type=value_error, input_value={'a': 'hunter2'}, "
                    "input_type=dict]"),
    ],
    ids=lambda _: "case",  # the values are made anew in each process
)  # fmt: skip
def test_a_secret_is_blacked_out_whatever_stands_around_it(secret: str, line: str) -> None:
    assert secret in line
    assert secret not in logs.redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "charging-session/0f8fad5b-d9cb-469f-a165-70867728950e started",
        "an EVSE FI*VRT*E12345 at 2026-03-01T12:00:00.123456+00:00 took 12.3456789012345678 kWh",
        "the token of a connection does not decrypt: CHARGING_SECRET_KEYS changed?",
        "Token pushes of connection 7 wait for 30 s",
        'File "/app/charging/ocpi/registration.py", line 12, in a_function_with_quite_a_long_name_for_what_it_does',
        "position 4111111111111112 of the outbox",  # no card: the check digit is wrong
        "worker 12345@host polls",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert logs.redact(line) == line


@pytest.mark.parametrize(
    "bomb",
    ["a" * 200_000, "a-" * 100_000, "4" * 200_000, "4 " * 100_000, "eyJ" * 60_000, "token=" * 30_000,
     "a@" * 100_000, "input_value=" * 20_000, "://a:" * 40_000, "token " * 30_000],
    ids=lambda bomb: bomb[:12],
)  # fmt: skip
def test_no_text_makes_it_slow(bomb: str) -> None:
    began = time.thread_time()
    logs.redact(bomb)
    assert time.thread_time() - began < 5


def test_the_one_formatter_blacks_out_values_and_tracebacks_whatever_writes_the_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.RedactingFormatter(logging.Formatter("%(message)s")))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"cannot use token={OCPI_TOKEN}")
    except ValueError:
        logger.exception("a call with %s for %s failed", JWT, "ada@example.com")
    written = stream.getvalue()
    assert "Traceback" in written
    assert "a call with [token] for [e-mail] failed" in written
    assert OCPI_TOKEN not in written


def test_a_level_of_our_own_code_leaves_libraries_at_theirs() -> None:
    """At DEBUG a driver of the store says whole statements with their values."""
    code = """
import logging
from charging import logs
logs.configure(our_level="DEBUG")
logging.getLogger("charging.ocpi").debug("ours")
logging.getLogger("aiosqlite").debug("theirs")
"""
    written = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert ("ours" in written, "theirs" in written) == (True, False)


@pytest.mark.timeout(240)
async def test_the_processes_of_the_engine_write_no_secret_whatever_is_thrown_at_them(tmp_path: Path) -> None:
    """A worker that cannot start, then real requests and failures at ``python -m api`` with its access log."""
    admin_key, port, log = secrets.token_urlsafe(32), free_port(), tmp_path / "log"
    environment = {
        **os.environ,
        "CHARGING_ADMIN_KEY": admin_key,
        "CHARGING_DATABASE_URL": "postgresql+psycopg://charging:hunter2@127.0.0.1:1/charging",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }
    async with _process(environment, log, "worker.py") as worker:
        assert await asyncio.wait_for(worker.wait(), 100) != 0
    async with (
        _process(environment, log, "-m", "api", "--port", str(port)),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        await eventually(lambda: _answers(http), within_s=100, every_s=0.2, describe=log.read_text)
        await http.get(f"/v1/sessions?access_token={JWT}&card={CARD}&mail=ada@example.com")
        await http.get("/v1/sessions", headers={"Authorization": f"Bearer {JWT}"})
        body = {"evse_id": "FI*VRT*E1", "metadata": {"mail": "ada@example.com", "card": CARD}}
        await http.post("/v1/sessions/start", json=body, headers={"Authorization": f"Bearer {JWT}"})
        peer = {"Authorization": f"Token {OCPI_TOKEN}"}
        await http.get(f"/ocpi/emsp/2.2.1/sessions/{OCPI_TOKEN}", headers=peer)
        await http.get("/ocpi/connections", headers={"X-API-Key": admin_key})
    written = log.read_text()
    assert "/v1/sessions?access_token=" in written, "the access log is on"
    assert "store unavailable" in written
    assert "this process ends" in written, "the worker's end is there too"
    for secret in (JWT, admin_key, "hunter2", OCPI_TOKEN, CARD, "ada@example.com"):
        assert secret not in written, secret


@asynccontextmanager
async def _process(environment: dict[str, str], log: Path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python COMMAND``, whose output is added to ``log``, until the block ends."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
