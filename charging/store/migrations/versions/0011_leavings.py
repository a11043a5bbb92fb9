"""Leavings

Revision: 0011; revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("token_contract", sa.String(36), nullable=True))
    op.create_index(op.f("ix_sessions_token_contract"), "sessions", ["token_contract"])
    op.execute(
        "UPDATE sessions SET token_contract = (SELECT upper(tokens.body ->> 'contract_id') FROM tokens"
        " WHERE tokens.uid = sessions.token_uid AND tokens.type = sessions.token_type)"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_sessions_token_contract"), "sessions")
    op.drop_column("sessions", "token_contract")
