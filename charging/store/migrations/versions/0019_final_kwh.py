"""The energy that the CPO's last word on a Session gives, for the audit of its CDR

Revision: 0019; revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from charging.store import tables

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("final_kwh", tables.Exact(), nullable=True))
    # Until now the highest word counted as the last one; without any, an open dispute about energy would settle itself.
    op.execute("UPDATE sessions SET final_kwh = kwh WHERE cpo_status = 'COMPLETED'")


def downgrade() -> None:
    """Take back."""
    op.drop_column("sessions", "final_kwh")
