"""What a finished session leaves behind on disk: in the engine's store and in Temporal's file."""

from collections import Counter

from benches.footprint import store_bytes, store_rows, table_bytes, temporal_bytes
from benches.rows import Budget, Row
from benches.servers import KINDS, Databases
from benches.sessions_per_second import per_second, sessions
from benches.sizes import size
from benches.stack import Stack, running_stack

WARM_UP = 20
_LARGEST = 6


async def measure(databases: Databases) -> list[Row]:
    """kB of 1,000 bytes per session on both databases; Temporal's growth with the same sessions is the reference."""
    rows = []
    for kind in KINDS:
        async with running_stack(kind, databases) as stack:
            rows.append(await _measure(stack, size("SESSIONS", 150)))
    return rows


async def _measure(stack: Stack, count: int) -> Row:
    await per_second(sessions(stack, WARM_UP))
    kept = await store_rows(stack.database)
    tables = Counter[str]() if stack.database.is_sqlite else await table_bytes(stack.database)
    store, temporal = await store_bytes(stack.database), temporal_bytes(stack.directory)
    await per_second(sessions(stack, count))
    store, temporal = await store_bytes(stack.database) - store, temporal_bytes(stack.directory) - temporal
    kept = await store_rows(stack.database) - kept
    notes: dict[str, float | str] = {"sessions": count, "rows per session": round(kept.total() / count, 1)}
    notes |= {f"rows per session, {name}": round(rows / count, 1) for name, rows in kept.most_common(_LARGEST)}
    if tables:
        grown = await table_bytes(stack.database) - tables
        notes |= {f"kB per session, {name}": round(b / count / 1000, 1) for name, b in grown.most_common(_LARGEST)}
    return Row(
        f"kB per finished session, {stack.kind}",
        "Temporal's file",
        "kB",
        [store / count / 1000],
        [temporal / count / 1000],
        Budget("ours", "≤", 50, 25),
        notes,
    )
