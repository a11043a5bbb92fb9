"""What keeps a session to a wish: charging profiles, charging preferences, or STOP alone. Pure."""

from charging.session.model import SessionSpec
from charging.session.profile import Control, ProfileWish


def control_for(spec: SessionSpec, wish: ProfileWish | None) -> Control:
    """How ``wish`` (None: to be free of any) can be had at this EVSE.

    Charging preferences (OCPI 2.2.1 §9.3.2) know a departure and no limit: a cap or a schedule is nothing for them.
    """
    if spec.profile_capable:
        return "charging_profile"
    limited = wish is not None and (wish.max_charge_rate_kw is not None or wish.periods is not None)
    leaves = wish is None or wish.departure_time is not None
    return "charging_preferences" if spec.preferences_capable and leaves and not limited else "stop"
