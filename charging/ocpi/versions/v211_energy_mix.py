"""EnergyMix of OCPI 2.1.1, whose EnvironmentalImpact calls its category ``source`` (mod_locations 4.5). Pure."""

from charging.ocpi.versions.dialect import Body
from charging.ocpi.versions.shape import each, renamed


def read_energy_mix(mix: Body) -> Body:
    """As 2.2.1 names it (§8.4.6)."""
    return each(mix, "environ_impact", lambda impact: renamed(impact, {"source": "category"}))


def write_energy_mix(mix: Body) -> Body:
    """As 2.1.1 names it."""
    return each(mix, "environ_impact", lambda impact: renamed(impact, {"category": "source"}))
