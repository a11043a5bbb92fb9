"""A session of another user is absent: the same 404, body included, as one that never was."""

import uuid

from api.auth import User
from api.desk import Desk
from charging.errors import Problem
from charging.log_lines import about_session
from charging.session.reading import StatusRow


async def own_session(desk: Desk, session_id: str, user: User) -> StatusRow:
    """The caller's session. Raises ``Problem`` 404 for a malformed id, an absent session, and somebody else's."""
    row = await desk.reader.status(canonical_id(session_id), user.sub)
    if row is None:
        raise _absent()
    about_session(row.id)
    return row


def canonical_id(text: str) -> str:
    """The one spelling of a session id: lower case with dashes, whatever UUID notation came."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise _absent() from None


def _absent() -> Problem:
    return Problem(404, "session_not_found", "You have no such session.")
