"""What a version of OCPI has to say about itself and about each of its objects."""

from typing import Any, Literal, Protocol

from charging.ocpi.wire import Party

Body = dict[str, Any]

# The objects that cross the wire.
Kind = Literal[
    "location",
    "evse",
    "connector",
    "tariff",
    "session",
    "cdr",
    "token",
    "authorization_info",
    "credentials",
    "version_detail",
    "start_session",
    "stop_session",
    "reserve_now",
    "cancel_reservation",
    "unlock_connector",
    "command_response",
    "command_result",
    "invoice_reconciliation",
]


class Dialect(Protocol):
    """One version. Bodies are dicts as JSON has them, fractions as ``Decimal``; nothing is changed in place."""

    @property
    def version(self) -> str:
        """Its number, e.g. ``2.2.1``."""
        ...

    @property
    def modules(self) -> frozenset[str]:
        """The identifiers of its modules."""
        ...

    @property
    def has_roles(self) -> bool:
        """Whether its endpoints name an interface role (2.2 and later)."""
        ...

    @property
    def has_routing(self) -> bool:
        """Whether its messages carry routing headers and request ids (2.2 and later)."""
        ...

    @property
    def encodes_token(self) -> bool:
        """Whether the credentials token is Base64 in ``Authorization`` (2.2 and later)."""
        ...

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """``body`` of this version as a canonical (2.2.1) one. Never raises: what makes no sense stays as it is.

        ``owner``: the party whose object it is, where the version does not say so. A part of an object, as a PATCH
        brings it, becomes the same part. Fields that are unknown, or have no canonical place, stay beside the others.
        """
        ...

    def write(self, kind: Kind, body: Body) -> Body:
        """The canonical ``body`` as this version writes it: its fields and no others, its lengths, its enum values."""
        ...
