"""What refers to an event that is to be deleted

Revision: 0016; revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_webhook_deliveries_event", "webhook_deliveries", ["event_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_webhook_deliveries_event", "webhook_deliveries")
