"""CDRs on their way to the session that they bill; a CDR may come before the Session that says whose it is."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from charging.store.cpo_sessions import StoredSession
from charging.store.inbox import Kind, add_message
from charging.store.received_cdrs import match_cdr, stop_polling, unmatched_cdrs


async def hand_over(store: AsyncConnection, session_id: str, public_id: str, now: datetime) -> None:
    """Have the session of ours hear of its CDR; its CPO need not be asked any more."""
    await add_message(store, session_id, Kind.CDR, {"public_id": public_id}, now)
    await stop_polling(store, session_id)


async def match_again(store: AsyncConnection, sessions: Sequence[StoredSession], now: datetime) -> bool:
    """These Sessions turned out to be ours: so are the CDRs of theirs that nobody knew. Whether there are any."""
    found = await unmatched_cdrs(store, [session.key for session in sessions]) if sessions else []
    ours = {session.key.folded(): session.session_id for session in sessions if not session.parked}
    for public_id, key in found:
        if (session_id := ours.get(key)) is not None:
            await match_cdr(store, public_id, session_id)
            await hand_over(store, session_id, public_id, now)
    return bool(found)
