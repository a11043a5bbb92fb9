"""Places, distances, and the box around a circle (OCPI 2.2.1 §8.4.10)."""

from math import asin, atan2, cos, degrees, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charging.ocpi.geo import EARTH_M, Point, area_around, is_public, position, read_point

HELSINKI = Point(60.169857, 24.938379)
latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
radii = st.floats(1, 50_000)


def place(latitude: object, longitude: object) -> dict[str, object]:
    return {"coordinates": {"latitude": latitude, "longitude": longitude}}


@pytest.mark.parametrize(
    "coordinates",
    [
        None, "60.1,24.9", [], {}, {"latitude": "60.1"}, {"latitude": "60.1", "longitude": None},
        {"latitude": "north", "longitude": "24.9"}, {"latitude": "90.1", "longitude": "0.0"},
        {"latitude": "0.1", "longitude": "-180.5"}, {"latitude": "NaN", "longitude": "1"},
        {"latitude": "0.000000", "longitude": "0.000000"}, {"latitude": True, "longitude": "1"},
    ],
)  # fmt: skip
def test_nonsense_is_no_place(coordinates: object) -> None:
    assert read_point(coordinates) is None


def test_numbers_may_be_strings_as_they_should_or_numbers() -> None:
    for latitude, longitude in (("60.169857", "24.938379"), (60.169857, 24.938379)):
        assert read_point({"latitude": latitude, "longitude": longitude}) == HELSINKI


def test_an_evse_is_where_it_says_else_where_its_location_is() -> None:
    assert position(place("1.5", "2.5"), place("3.5", "4.5")) == Point(1.5, 2.5)
    assert position({}, place("3.5", "4.5")) == Point(3.5, 4.5)
    assert position(place("x", "y"), place("3.5", "4.5")) == Point(3.5, 4.5)
    assert position({}, {}) is None


@pytest.mark.parametrize(
    ("location", "public"),
    [({}, True), ({"publish": True}, True), ({"publish": None}, True), ({"publish": False}, False),
     ({"publish": "false"}, False)],
)  # fmt: skip
def test_a_location_is_public_unless_it_says_otherwise(location: dict[str, object], public: bool) -> None:
    assert is_public(location) is public


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        (HELSINKI, HELSINKI, 0),
        (HELSINKI, Point(59.437, 24.7536), 82_100),  # Tallinn
        (Point(0, 179.999), Point(0, -179.999), 222.4),
        (Point(90, 0), Point(90, 135), 0),
        (Point(90, 0), Point(-90, 0), 20_015_115),
    ],
)
def test_distances_are_those_of_great_circles(one: Point, other: Point, metres: float) -> None:
    assert one.metres_to(other) == pytest.approx(metres, rel=0.002, abs=0.01)
    assert other.metres_to(one) == one.metres_to(other)


@given(latitudes, longitudes, radii, st.floats(0, 360), st.floats(0, 1))
def test_every_point_within_the_radius_is_in_the_area(
    latitude: float, longitude: float, radius_m: float, bearing: float, share: float
) -> None:
    centre = Point(latitude, longitude)
    point = _away(centre, radius_m * share, bearing)
    area = area_around(centre, radius_m)
    assert area.south <= point.latitude <= area.north
    assert any(west <= point.longitude <= east for west, east in area.spans)
    assert point.band in area.bands


@given(st.floats(-80, 80), longitudes, radii)
def test_an_area_is_not_much_larger_than_its_circle(latitude: float, longitude: float, radius_m: float) -> None:
    area = area_around(Point(latitude, longitude), radius_m)
    height = radians(area.north - area.south) * EARTH_M
    width = sum(radians(east - west) for west, east in area.spans) * cos(radians(latitude)) * EARTH_M
    assert height == pytest.approx(2 * radius_m, rel=0.01, abs=1)
    assert width <= 2 * radius_m * 1.01 + 1


def test_an_area_across_the_180th_meridian_has_two_spans_and_at_a_pole_all_meridians() -> None:
    west_of_it, east_of_it = area_around(Point(0, 179.99), 5000), area_around(Point(0, -179.99), 5000)
    assert [len(area.spans) for area in (west_of_it, east_of_it)] == [2, 2]
    assert area_around(Point(89.999, 30), 5000).spans == ((-180, 180),)
    assert area_around(Point(-90, 0), 1).south == -90


def _away(start: Point, metres: float, bearing: float) -> Point:
    """The point so far from ``start``, by the formulas of navigation, apart from those under test."""
    arc, course, north = metres / EARTH_M, radians(bearing), radians(start.latitude)
    latitude = asin(max(-1, min(1, sin(north) * cos(arc) + cos(north) * sin(arc) * cos(course))))
    turn = atan2(sin(course) * sin(arc) * cos(north), cos(arc) - sin(north) * sin(latitude))
    longitude = (start.longitude + degrees(turn) + 540) % 360 - 180
    return Point(degrees(latitude), longitude)
