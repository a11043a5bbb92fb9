"""Curves

Revision: 0010; revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from charging.store.tables import Json, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "curves",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("connection_id", sa.String(length=36), nullable=True),
        sa.Column("location_id", sa.String(length=36), nullable=True),
        sa.Column("slots", Json, nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("fetched_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("checked_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_curves_connection_id")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_curves")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("curves")
