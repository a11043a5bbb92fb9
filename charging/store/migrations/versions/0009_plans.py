"""Plans

Revision: 0009; revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from charging.store.tables import Exact, Json, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "plan_revisions",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("plan", Json, nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_plan_revisions_session_id")),
        sa.PrimaryKeyConstraint("session_id", "revision", name=op.f("pk_plan_revisions")),
    )
    op.create_table(
        "meter_points",
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("kwh", Exact(), nullable=False),
        sa.Column("power_kw", Exact(), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_meter_points_session_id")),
        sa.PrimaryKeyConstraint("session_id", "at", name=op.f("pk_meter_points")),
    )
    op.add_column("connections", sa.Column("max_profile_periods", sa.Integer(), nullable=False, server_default="24"))
    op.add_column("connections", sa.Column("hold_minimum", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("connections", sa.Column("pauses_are_parking", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Undo."""
    op.drop_table("meter_points")
    op.drop_table("plan_revisions")
    op.drop_column("connections", "pauses_are_parking")
    op.drop_column("connections", "hold_minimum")
    op.drop_column("connections", "max_profile_periods")
