"""Whatever arrives, converters do not raise, change nothing in place, and keep what they do not know."""

import copy
from decimal import Decimal
from typing import Any, get_args

from hypothesis import example, given
from hypothesis import strategies as st

from charging.ocpi.versions import DIALECTS, Kind
from charging.ocpi.versions.fields import OBJECTS, TABLES
from tests.ocpi.versions.examples import VIRTA, Body

_NAMES = sorted(
    {name for tables in TABLES.values() for fields in tables.objects.values() for name in fields}
    | {"authorization_id", "whatever"}
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        ["", "x", "#NA", "TIMEOUT", "ENERGY", "AD_HOC_USER", "2.00", "1e9999999", "NaN", "2026-06-01T10:00:00"]
    )
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)
)
_junk = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)
_bodies = st.dictionaries(st.sampled_from(_NAMES), _junk, max_size=8)
_kinds = st.sampled_from(get_args(Kind))
_dialects = st.sampled_from(list(DIALECTS.values()))


def test_every_kind_has_its_table() -> None:
    assert set(get_args(Kind)) <= OBJECTS.keys()


@given(_dialects, _kinds, _bodies)
@example(DIALECTS["2.1.1"], "cdr", {"location": {"evses": [{"connectors": [{"tariff_id": []}]}]}, "total_cost": {}})
@example(DIALECTS["2.3.0"], "session", {"total_cost": {"before_taxes": "1e9999999", "taxes": [{"amount": "2"}]}})
def test_nothing_raises_or_changes_its_argument(dialect: Any, kind: Kind, body: Body) -> None:
    before = copy.deepcopy(body)
    dialect.read(kind, body, VIRTA)
    dialect.write(kind, body)
    assert body == before


@given(_dialects, _kinds, _bodies)
def test_unknown_fields_stay(dialect: Any, kind: Kind, body: Body) -> None:
    assert dialect.read(kind, {**body, "x-private": Decimal("1.5")}, VIRTA)["x-private"] == Decimal("1.5")
