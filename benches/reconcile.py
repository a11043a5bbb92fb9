"""``charging reconcile`` over a ledger of a million lines: how long, and with how much memory."""

import asyncio
import os
import sys
import time

from benches.books import LINES_PER_SESSION, add_copies, settled_session
from benches.programs import ROOT
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from charging.store.engine import Database

SIZES = (100_000, 1_000_000)


async def measure(databases: Databases) -> list[Row]:
    """Both sizes on both databases; the small one is the large one's reference."""
    return [row for kind in KINDS for row in await _measure_on(kind, databases)]


async def _measure_on(kind: str, databases: Databases) -> list[Row]:
    url = databases.fresh(kind)
    database = Database(url)
    template, count, found = await settled_session(database), 1, []
    for size in SIZES:
        more = size // LINES_PER_SESSION - count
        await add_copies(database, template, count, more)
        count += more
        found.append(await asyncio.to_thread(_reconcile, url))
    await database.close()
    (few_s, few_mb), (many_s, many_mb) = found
    against, what = f"{SIZES[0]:,} lines", f"reconcile, {SIZES[1]:,} ledger lines, {kind}"
    growth = SIZES[1] / SIZES[0]
    return [
        Row(what, against, "s", [many_s], [few_s], Budget("ratio", "≤", growth * 2)),
        Row(f"{what}: peak memory", against, "MB", [many_mb], [few_mb], Budget("ratio", "≤", 1.25)),
    ]


def _reconcile(url: str) -> tuple[float, float]:
    """Seconds, and the process's peak memory in MB. It finds nothing wrong."""
    began = time.perf_counter()
    reader, writer = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "benches.books", url],
        {**os.environ, "PYTHONPATH": str(ROOT)},
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)],
    )
    os.close(writer)
    with os.fdopen(reader) as output:
        said = output.read().strip()
    _, _, usage = os.wait4(pid, 0)
    assert said == "0", f"exceptions: {said}"
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6
