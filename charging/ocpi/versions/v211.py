"""OCPI 2.1.1."""

from typing import Final

from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.wire import Party


class V211:
    """OCPI 2.1.1."""

    version: Final = "2.1.1"
    modules: Final = frozenset("cdrs commands credentials locations sessions tariffs tokens".split())
    has_roles: Final = False
    has_routing: Final = False
    encodes_token: Final = False

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """See ``Dialect``."""
        return body

    def write(self, kind: Kind, body: Body) -> Body:
        """See ``Dialect``."""
        return body
