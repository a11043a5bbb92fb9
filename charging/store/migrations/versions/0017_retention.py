"""What refers to an event that is to be deleted

Revision: 0017; revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_webhook_deliveries_event", "webhook_deliveries", ["event_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_webhook_deliveries_event", "webhook_deliveries")
