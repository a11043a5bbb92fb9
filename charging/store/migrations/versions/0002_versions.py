"""Versions

Revision: 0002; revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Ids of CPO Sessions are compared without regard to case, and so are keyed in upper case.
_FOLD = """
UPDATE ocpi_sessions SET id = upper(id)
WHERE id <> upper(id) AND NOT EXISTS (
    SELECT 1 FROM ocpi_sessions AS same
    WHERE same.connection_id = ocpi_sessions.connection_id
    AND same.country_code = ocpi_sessions.country_code
    AND same.party_id = ocpi_sessions.party_id
    AND same.id = upper(ocpi_sessions.id)
)
"""


def upgrade() -> None:
    """Apply."""
    op.add_column("connections", sa.Column("token_form", sa.String(10)))
    op.add_column("connections", sa.Column("sends_token_form", sa.String(10)))
    op.add_column("cdrs", sa.Column("version", sa.String(10), nullable=False, server_default="2.2.1"))
    op.execute(_FOLD)
    op.create_index("ix_ocpi_sessions_id", "ocpi_sessions", ["connection_id", "id"])


def downgrade() -> None:
    """Undo; the ids of CPO Sessions stay in upper case."""
    op.drop_index("ix_ocpi_sessions_id", "ocpi_sessions")
    op.drop_column("cdrs", "version")
    op.drop_column("connections", "sends_token_form")
    op.drop_column("connections", "token_form")
