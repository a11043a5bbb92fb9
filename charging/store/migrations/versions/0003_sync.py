"""Sync

Revision: 0003; revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from charging.store import tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for name in ("locations", "tariffs"):
        op.add_column(name, sa.Column("content_hash", sa.String(32)))
        op.add_column(name, sa.Column("seen_at", tables.UtcDateTime()))
        op.add_column(name, sa.Column("missing_since", tables.UtcDateTime()))
    op.add_column("evses", sa.Column("content_hash", sa.String(32)))
    op.add_column("cdrs", sa.Column("ocpi_session_id", sa.String(36)))
    op.create_index("ix_cdrs_ocpi", "cdrs", ["connection_id", "ocpi_session_id"])
    _name_the_sessions_of_unmatched_cdrs()
    op.create_table(
        "sync_state",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("module", sa.String(20), nullable=False),
        sa.Column("high_water", tables.UtcDateTime()),
        sa.Column("tried_at", tables.UtcDateTime(), nullable=False),
        sa.Column("last_ok_at", tables.UtcDateTime()),
        sa.Column("last_full_at", tables.UtcDateTime()),
        sa.Column("last_error", sa.Text()),
        sa.Column("counts", tables.Json),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_sync_state_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "module", name=op.f("pk_sync_state")),
    )


def _name_the_sessions_of_unmatched_cdrs() -> None:
    cdrs = sa.table("cdrs", sa.column("public_id"), sa.column("problem"), sa.column("body", tables.Json), sa.column("ocpi_session_id"))
    store = op.get_bind()
    for row in store.execute(sa.select(cdrs.c.public_id, cdrs.c.body).where(cdrs.c.problem == "unmatched")).all():
        if isinstance(session_id := row.body.get("session_id"), str):
            named = sa.update(cdrs).where(cdrs.c.public_id == row.public_id)
            store.execute(named.values(ocpi_session_id=session_id.strip().upper()[:36]))


def downgrade() -> None:
    """Undo."""
    op.drop_table("sync_state")
    op.drop_index("ix_cdrs_ocpi", "cdrs")
    with op.batch_alter_table("cdrs") as cdrs:
        cdrs.drop_column("ocpi_session_id")
    with op.batch_alter_table("evses") as evses:
        evses.drop_column("content_hash")
    for name in ("locations", "tariffs"):
        with op.batch_alter_table(name) as table:
            for column in ("content_hash", "seen_at", "missing_since"):
                table.drop_column(column)
