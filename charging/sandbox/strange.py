"""What nobody has heard of. Pure."""

from decimal import Decimal
from typing import Any


def strange(message: dict[str, Any]) -> dict[str, Any]:
    """Fields that OCPI does not know and values that its enums do not have."""
    moonlight = {"type": "MOONLIGHT", "volume": Decimal("0.5")}
    periods = [{**p, "dimensions": [*p["dimensions"], moonlight]} for p in message.get("charging_periods", [])]
    changes: dict[str, Any] = {"auth_method": "TELEPATHY", "x_mood": {"colour": "mauve", "depth": 3}}
    return changes | ({"charging_periods": periods} if periods else {})
