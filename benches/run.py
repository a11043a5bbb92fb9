"""Runs all measurements, or those that are named, and prints what design budgets say about them."""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import uvloop

from benches import (
    endpoints,
    event_fanout,
    evse_lookup,
    history_events,
    ingest,
    open_sessions,
    planner,
    pushes_per_session,
    rating,
    reconcile,
    session_pushes,
    sessions_per_second,
    start_latency,
    status_reads,
    store_growth,
    worker_memory,
    workers,
)
from benches.machine import conditions
from benches.report import save, table
from benches.rows import Row
from benches.servers import Databases

MEASUREMENTS = {
    "history_events": history_events.measure,
    "sessions_per_second": sessions_per_second.measure,
    "status_reads": status_reads.measure,
    "start_latency": start_latency.measure,
    "session_pushes": session_pushes.measure,
    "worker_memory": worker_memory.measure,
    "ingest": ingest.measure,
    "evse_lookup": evse_lookup.measure,
    "planner": planner.measure,
    "rating": rating.measure,
    "reconcile": reconcile.measure,
    "event_fanout": event_fanout.measure,
    "endpoints": endpoints.measure,
    "workers": workers.measure,
    "open_sessions": open_sessions.measure,
    "pushes_per_session": pushes_per_session.measure,
    "store_growth": store_growth.measure,
}


def main() -> None:
    """``python -m benches [name …]``."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], help="default: all")
    names = parser.parse_args().names or list(MEASUREMENTS)
    with tempfile.TemporaryDirectory(prefix="charging-bench-", ignore_cleanup_errors=True) as directory:
        os.environ.setdefault("XDG_RUNTIME_DIR", directory)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(names, Path(directory)))


async def _run(names: list[str], directory: Path) -> None:
    found = conditions(directory)
    databases = Databases(directory)
    rows: dict[str, list[Row]] = {}
    try:
        for name in names:
            began = time.perf_counter()
            rows[name] = await MEASUREMENTS[name](databases)
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    finally:
        databases.close()
    print(f"\n{table([row for its_rows in rows.values() for row in its_rows])}\n")
    save(rows, found)
