"""OCPI 2.1.1."""

from collections.abc import Callable, Mapping
from typing import Final

from charging.ocpi.versions import (
    v211_commands,
    v211_credentials,
    v211_location,
    v211_session,
    v211_tariff,
    v211_token,
)
from charging.ocpi.versions.dialect import Body, Kind
from charging.ocpi.versions.fitting import fitted
from charging.ocpi.versions.shape import renamed
from charging.ocpi.wire import Party

_READ: Final[Mapping[Kind, Callable[[Body, Party | None], Body]]] = {
    "location": v211_location.read_location,
    "evse": lambda body, _owner: v211_location.read_evse(body),
    "connector": lambda body, _owner: v211_location.read_connector(body),
    "tariff": v211_tariff.read_tariff,
    "session": v211_session.read_session,
    "cdr": v211_session.read_cdr,
    "token": v211_token.read_token,
    "authorization_info": lambda body, _owner: renamed(body, {"authorization_id": "authorization_reference"}),
    "credentials": lambda body, _owner: v211_credentials.read_credentials(body),
    "version_detail": lambda body, _owner: v211_credentials.read_version_detail(body),
    "start_session": v211_commands.read_command,
    "reserve_now": v211_commands.read_command,
    "command_response": lambda body, _owner: v211_commands.read_response(body),
}

_WRITE: Final[Mapping[Kind, Callable[[Body], Body]]] = {
    "location": v211_location.write_location,
    "evse": v211_location.write_evse,
    "connector": v211_location.write_connector,
    "tariff": v211_tariff.write_tariff,
    "session": v211_session.write_session,
    "cdr": v211_session.write_cdr,
    "token": v211_token.write_token,
    "credentials": v211_credentials.write_credentials,
    "version_detail": v211_credentials.write_version_detail,
    "start_session": v211_commands.write_command,
    "reserve_now": v211_commands.write_command,
    "command_result": v211_commands.write_result,
}


class V211:
    """OCPI 2.1.1."""

    version: Final = "2.1.1"
    modules: Final = frozenset("cdrs commands credentials locations sessions tariffs tokens".split())
    has_roles: Final = False
    has_routing: Final = False
    encodes_token: Final = False

    def read(self, kind: Kind, body: Body, owner: Party | None = None) -> Body:
        """See ``Dialect``."""
        return _READ[kind](body, owner) if kind in _READ else body

    def write(self, kind: Kind, body: Body) -> Body:
        """See ``Dialect``."""
        return fitted(self.version, kind, _WRITE[kind](body) if kind in _WRITE else body)
