"""Where a charger stands, and what lies within a radius (OCPI 2.2.1 §8.4.10).

Pure. Degrees of WGS 84 and metres, on a sphere: within a radius that one drives, the ellipsoid changes 0.5 % at most.
"""

from dataclasses import dataclass
from math import asin, cos, degrees, floor, radians, sin, sqrt
from typing import Any, Final

from charging.ocpi.location_object import Body
from charging.ocpi.wire import decimal

EARTH_M: Final = 6_371_008.8  # mean radius
BAND_DEG: Final = 0.02  # about 2 km from one parallel to the next: a search in a city reads three bands

_SLACK_DEG: Final = 2e-6  # 0.2 m: what is on the edge must not be lost to rounding, which is coarse at the poles


@dataclass(frozen=True)
class Point:
    """A place on earth, in degrees."""

    latitude: float
    longitude: float

    @property
    def band(self) -> int:
        """The number of its band of latitude, by which the store finds it."""
        return floor(self.latitude / BAND_DEG)

    def metres_to(self, other: "Point") -> float:
        """The great-circle distance."""
        north, other_north = radians(self.latitude), radians(other.latitude)
        half_height = sin((other_north - north) / 2)
        half_width = sin(radians(other.longitude - self.longitude) / 2)
        chord = half_height**2 + cos(north) * cos(other_north) * half_width**2
        return 2 * EARTH_M * asin(min(1.0, sqrt(chord)))


def read_point(coordinates: Any) -> Point | None:
    """The point of a GeoLocation, whose numbers are strings; None for what is no place on earth.

    Neither is 0/0, which peers send for "unknown".
    """
    if not isinstance(coordinates, dict):
        return None
    latitude, longitude = decimal(coordinates.get("latitude")), decimal(coordinates.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return Point(float(latitude), float(longitude)) if latitude or longitude else None


def position(evse: Body, location: Body) -> Point | None:
    """Where ``evse`` is: its own coordinates, else those of its Location (§8.3.2)."""
    return read_point(evse.get("coordinates")) or read_point(location.get("coordinates"))


def is_public(location: Body) -> bool:
    """Whether a Location may be shown to people who do not know of it (``publish``, §8.3.1). Absent: yes."""
    return str(location.get("publish")).lower() not in ("false", "0")


@dataclass(frozen=True)
class Area:
    """What holds all points within a radius, and few others: parallels, and one or two spans of meridians."""

    south: float
    north: float
    spans: tuple[tuple[float, float], ...]

    @property
    def bands(self) -> list[int]:
        """The bands of latitude that it touches."""
        return list(range(floor(self.south / BAND_DEG), floor(self.north / BAND_DEG) + 1))


def area_around(centre: Point, radius_m: float) -> Area:
    """The area within ``radius_m`` of ``centre``. Across the 180th meridian it has two spans; at a pole, all."""
    reach = radius_m / EARTH_M
    south = centre.latitude - degrees(reach) - _SLACK_DEG
    north = centre.latitude + degrees(reach) + _SLACK_DEG
    if south <= -90 or north >= 90:
        return Area(max(south, -90.0), min(north, 90.0), ((-180.0, 180.0),))
    width = degrees(asin(sin(reach) / cos(radians(centre.latitude)))) + _SLACK_DEG
    return Area(south, north, _spans(centre.longitude - width, centre.longitude + width))


def _spans(west: float, east: float) -> tuple[tuple[float, float], ...]:
    if west < -180:
        return (west + 360, 180.0), (-180.0, east)
    if east > 180:
        return (west, 180.0), (-180.0, east - 360)
    return ((west, east),)
