"""Neighbours

Revision: 0014; revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from charging.store.tables import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "intents",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("partner_id", sa.String(length=100), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("answered_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_intents")),
    )
    op.create_table(
        "job_reports",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_job_reports_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_job_reports")),
    )
    op.create_index("ix_job_reports_waiting", "job_reports", ["state", "session_id", "place"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_job_reports_waiting", "job_reports")
    op.drop_table("job_reports")
    op.drop_table("intents")
