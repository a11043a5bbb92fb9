"""CDRs on their way to the session that they bill; a CDR may come before the Session that says whose it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.cpo_sessions import StoredSession
from charging.store.inbox import Kind, add_message
from charging.store.received_cdrs import match_cdr, stop_polling, unmatched_cdrs


async def hand_over(
    store: AsyncConnection, session_id: str, public_id: str, now: datetime, traceparent: str | None
) -> None:
    """Have the session of ours hear of its CDR; its CPO need not be asked any more."""
    await add_message(store, session_id, Kind.CDR, {"public_id": public_id}, now, traceparent=traceparent)
    await stop_polling(store, session_id)


async def match_again(
    store: AsyncConnection, sessions: Sequence[StoredSession], now: datetime, traces: Mapping[str, str]
) -> bool:
    """These Sessions turned out to be ours: so are the CDRs of theirs that nobody knew. Whether there are any.

    ``traces``: by session of ours, where it turned out.
    """
    found = await unmatched_cdrs(store, [session.key for session in sessions]) if sessions else []
    ours = {session.key.folded(): session.session_id for session in sessions if not session.parked}
    for public_id, key in found:
        if (session_id := ours.get(key)) is not None:
            await match_cdr(store, public_id, session_id)
            await hand_over(store, session_id, public_id, now, traces.get(session_id))
    return bool(found)
