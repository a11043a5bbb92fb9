"""What operators watch is found without reading whole tables

Revision: 0017; revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

OPEN = sa.text("status IN ('pending', 'active', 'stopping')")
UNSETTLED = sa.text("state = 'received'")


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_sessions_open", "sessions", ["network", "status", "phase"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_cdrs_unsettled", "cdrs", ["received_at"], sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_cdrs_unsettled", table_name="cdrs")
    op.drop_index("ix_sessions_open", table_name="sessions")
