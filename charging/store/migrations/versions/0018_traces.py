"""What waits for a workflow keeps the trace of the request that it came with

Revision: 0018; revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("inbox", sa.Column("traceparent", sa.String(55), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("inbox", "traceparent")
