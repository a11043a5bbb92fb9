"""From what stands on a charger to its key, and from a connector to what it can do.

Pure. An EVSE id (``FI*VRT*E12345``, ISO 15118; ``+49*810*000*438``, DIN SPEC 91286) is only ever looked up: party,
location and EVSE uid are never read out of its text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Final, Literal

from pydantic import ValidationError

from charging.ocpi.location_object import Body, connectors
from charging.ocpi.models import Connector
from charging.ocpi.wire import fold

MAX_LENGTH: Final = 64

_SEPARATORS = re.compile(r"[*\-_\s]")
_LAST_SEGMENT = re.compile(r"[*\-_][^*\-_]+$")
_OPERATOR = re.compile(
    r"([A-Z]{2})[*\-_ ]?([A-Z0-9]{3})[*\-_ ]?E[A-Z0-9]"  # ISO 15118
    r"|\+?(\d{1,3})[*\-_ ](\d{3,6})[*\-_ ][0-9]",  # DIN SPEC 91286
    re.IGNORECASE,
)

# What people call a plug, and the ConnectorTypes that it may be. NACS is SAE_J3400 since OCPI 2.3.0, TESLA_S before.
_PLUGS: Final = {
    "CCS": ("IEC_62196_T2_COMBO", "IEC_62196_T1_COMBO"),
    "CHADEMO": ("CHADEMO",),
    "TYPE2": ("IEC_62196_T2",),
    "TYPE1": ("IEC_62196_T1",),
    "NACS": ("SAE_J3400", "TESLA_S"),
}
_PHASES: Final = {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2, "AC_3_PHASE": 3}
_MOST_W: Final = 10**9  # more than any connector has
_LEAST_W: Final = 1000  # less is no car's charger, but an empty field, or kW where W are meant
_UNKNOWN_W: Final = {"AC": 43_000, "DC": 400_000}  # the most that is common: too little would cut a session off
_UNKNOWN_V: Final = {"AC": 230, "DC": 400}
_LINE_TO_LINE_V: Final = 346  # 200 V between line and neutral; no grid has more, so more is between lines


def lookup_key(evse_id: str) -> str:
    """The key of all spellings of one EVSE id: upper case, no separators, no leading ``+``."""
    return _SEPARATORS.sub("", evse_id).lstrip("+").upper()


def segments(evse_id: str) -> str:
    """``evse_id`` with one kind of separator: unlike the key it tells ``E11*1``, a connector of E11, from ``E111``."""
    return _SEPARATORS.sub("*", evse_id.strip()).lstrip("+").upper()


def operator_prefix(evse_id: str) -> str | None:
    """The part of the lookup key that names the operator: ``FIVRT``; None where ``evse_id`` is no EVSE id.

    Only a hint at whose EVSE it may be: the operator need not be the party of OCPI.
    """
    found = _OPERATOR.match(evse_id.strip())
    return None if found is None else "".join(part for part in found.groups() if part).upper()


def without_last_segment(evse_id: str) -> str | None:
    """``evse_id`` without its last ``*segment``, None where there is none to spare.

    Some operators print an id that names the connector, too: ``FI*VRT*E12345*1``.
    """
    shorter = _LAST_SEGMENT.sub("", evse_id.strip())
    return shorter if shorter != evse_id.strip() and len(_SEPARATORS.split(shorter)) >= 3 else None


@dataclass(frozen=True)
class EvseConnector:
    """What a session needs to know of a connector. Power in W of the whole connector, ``voltage`` line to neutral.

    ``rate_unit`` is what its charging profiles use: W for DC, A per phase for AC.
    """

    id: str
    standard: str
    power_type: str
    max_power_w: Decimal
    voltage: int
    phases: int
    rate_unit: Literal["W", "A"]
    tariff_ids: tuple[str, ...] = ()
    format: str | None = None
    is_power_told: bool = True  # else it is a guess

    @property
    def plug(self) -> str:
        """The name that robots use (``CCS``, ``Type2`` …), else the OCPI ConnectorType."""
        names = {"CCS": "CCS", "CHADEMO": "CHAdeMO", "TYPE2": "Type2", "TYPE1": "Type1", "NACS": "NACS"}
        return next((names[plug] for plug, types in _PLUGS.items() if self.standard in types), self.standard)


def read_connector(connector: Connector) -> EvseConnector:
    """``connector`` with its power: ``max_electric_power``, else V x A x phases; from 1 kW to 1 GW.

    A connector of which neither is told, or less than 1 kW, has 43 kW for AC, 400 kW for DC; without a voltage it has
    230 V, 400 V.
    """
    phases = _PHASES.get(fold(connector.power_type), 1)
    kind = "AC" if fold(connector.power_type).startswith("AC") else "DC"
    voltage = _line_to_neutral(connector.max_voltage, phases) if connector.max_voltage > 0 else _UNKNOWN_V[kind]
    told = (connector.max_electric_power or 0, voltage * connector.max_amperage * phases)
    power = next((power for power in told if power >= _LEAST_W), None)
    return EvseConnector(
        id=connector.id,
        standard=connector.standard,
        power_type=connector.power_type,
        max_power_w=Decimal(_UNKNOWN_W[kind] if power is None else min(power, _MOST_W)),
        voltage=voltage,
        phases=phases,
        rate_unit="A" if kind == "AC" else "W",
        tariff_ids=tuple(connector.tariff_ids),
        format=connector.format,
        is_power_told=power is not None,
    )


def read_connectors(evse: Body) -> list[EvseConnector]:
    """The usable connectors of an EVSE object: one that is broken must not hide the others."""
    found = []
    for body in connectors(evse):
        try:
            found.append(read_connector(Connector.model_validate(body)))
        except ValidationError:
            continue
    return found


def _line_to_neutral(voltage: int, phases: int) -> int:
    # OCPI wants line to neutral (§8.3.3); many peers give the 400 V between two lines.
    return round(voltage / sqrt(3)) if phases == 3 and voltage >= _LINE_TO_LINE_V else voltage


def choose_connector(offered: Sequence[EvseConnector], wanted: str | None) -> EvseConnector | None:
    """The connector for ``wanted``: CCS, CHAdeMO, Type2, Type1, NACS in any case, or a ConnectorType.

    Without a wish the only one there is. The strongest, where several fit. None where nothing fits.
    """
    if wanted is None:
        return offered[0] if len(offered) == 1 else None
    types = connector_types(wanted)
    fitting = [connector for connector in offered if fold(connector.standard) in types]
    return max(fitting, key=lambda connector: (connector.is_power_told, connector.max_power_w), default=None)


def connector_types(wanted: str) -> frozenset[str]:
    """The ConnectorTypes, in upper case, that ``wanted`` may mean: a plug as people call it, or a ConnectorType."""
    types = _PLUGS.get(re.sub(r"[\s_\-]", "", wanted).upper(), (wanted,))
    return frozenset(fold(connector_type) for connector_type in types)
