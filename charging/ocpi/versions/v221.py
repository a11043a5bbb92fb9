"""OCPI 2.2.1."""

from typing import Final

from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.wire import Party


class V221:
    """OCPI 2.2.1."""

    version: Final = "2.2.1"
    modules: Final = frozenset(
        "cdrs chargingprofiles commands credentials hubclientinfo locations sessions tariffs tokens".split()
    )
    has_roles: Final = True
    has_routing: Final = True
    encodes_token: Final = True

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """See ``Dialect``."""
        return body

    def write(self, kind: Kind, body: Body) -> Body:
        """See ``Dialect``."""
        return body
