"""Findings

Revision: 0007; revises: 0006
"""

from alembic import op
import sqlalchemy as sa

from charging.store.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "findings",
        sa.Column("connection_id", sa.String(length=36), nullable=False),
        sa.Column("rule", sa.String(length=50), nullable=False),
        sa.Column("module", sa.String(length=30), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("example", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_findings_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "rule", "module", name=op.f("pk_findings")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("findings")
