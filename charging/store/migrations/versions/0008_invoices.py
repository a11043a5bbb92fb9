"""Invoices

Revision: 0008; revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from charging.store.tables import Json, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invoices",
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("last_updated", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_invoices_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "country_code", "party_id", "id", name=op.f("pk_invoices")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("invoices")
