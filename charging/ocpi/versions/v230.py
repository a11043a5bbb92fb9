"""OCPI 2.3.0."""

from typing import Final

from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.wire import Party


class V230:
    """OCPI 2.3.0."""

    version: Final = "2.3.0"
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
