"""Plans

Revision: 0009; revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("connections", sa.Column("max_profile_periods", sa.Integer(), nullable=False, server_default="24"))
    op.add_column("connections", sa.Column("hold_minimum", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("connections", sa.Column("pauses_are_parking", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("connections", "pauses_are_parking")
    op.drop_column("connections", "hold_minimum")
    op.drop_column("connections", "max_profile_periods")
