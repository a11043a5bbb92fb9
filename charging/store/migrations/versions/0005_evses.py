"""EVSEs are found by uid, and by place, plug and power

Revision: 0005; revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from charging.store.evse_columns import place_columns, search_columns
from charging.store.tables import Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("latitude", "longitude", "band", "standards", "max_power_w")
KEY = ("connection_id", "country_code", "party_id", "location_id", "uid")


def upgrade() -> None:
    """Add the columns and fill them from what is stored."""
    op.add_column("evses", sa.Column("latitude", sa.Double(), nullable=True))
    op.add_column("evses", sa.Column("longitude", sa.Double(), nullable=True))
    op.add_column("evses", sa.Column("band", sa.Integer(), nullable=True))
    op.add_column("evses", sa.Column("standards", sa.Text(), nullable=False, server_default=""))
    op.add_column("evses", sa.Column("max_power_w", sa.Integer(), nullable=False, server_default="0"))
    _fill()
    op.create_index("ix_evses_uid", "evses", ["uid"])
    op.create_index("ix_evses_place", "evses", ["band", "longitude"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_evses_place", "evses")
    op.drop_index("ix_evses_uid", "evses")
    with op.batch_alter_table("evses") as table:
        for name in COLUMNS:
            table.drop_column(name)


def _fill() -> None:
    # Later pulls may find the objects unchanged and leave them alone.
    found_by = ("evse_id", "lookup_key", *COLUMNS)
    evses = sa.table("evses", *map(sa.column, (*KEY, *found_by)), sa.column("body", Json))
    locations = sa.table("locations", *map(sa.column, (*KEY[:3], "id")), sa.column("body", Json))
    store = op.get_bind()
    for place in store.execute(sa.select(locations)).all():
        of_location = sa.and_(*(evses.c[n] == place._mapping[n] for n in KEY[:3]), evses.c.location_id == place.id)
        for row in store.execute(sa.select(evses).where(of_location)).all():
            values = {**search_columns(row.body), **place_columns(row.body, place.body)}
            store.execute(sa.update(evses).where(of_location, evses.c.uid == row.uid).values(values))
