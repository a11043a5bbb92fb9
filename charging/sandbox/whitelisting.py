"""Whether a card that is held to a charger may charge: by what the eMSP pushed, or by asking it (OCPI 2.2.1 §12.4.5).

Pure. A Token is as OCPI 2.2.1 has it; None: nobody has told us of it.
"""

from collections.abc import Mapping
from typing import Any


def needs_asking(token: Mapping[str, Any] | None, *, ask: bool) -> bool:
    """Whether the eMSP is to be asked. ``ask``: what this CPO does where it is free to choose."""
    whitelist = None if token is None else token.get("whitelist")
    return {"ALWAYS": False, "ALLOWED": ask}.get(str(whitelist), True)


def allowed_without(token: Mapping[str, Any] | None, *, was_asked: bool) -> str:
    """The AllowedType without the eMSP's word: we need not ask, or did (``was_asked``) and it cannot be reached."""
    if token is None or (was_asked and token.get("whitelist") not in ("ALLOWED", "ALLOWED_OFFLINE")):
        return "NOT_ALLOWED"
    return "ALLOWED" if token.get("valid") is True else "BLOCKED"
