"""Leavings

Revision: 0011; revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from charging.store import tables

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


# The CPOs' own ids, each with the length that it had.
IDS = {
    "locations": {"id": 36},
    "evses": {"location_id": 36, "uid": 36},
    "tariffs": {"id": 36},
    "sessions": {"ocpi_session_id": 36},
    "evse_claims": {"location_id": 36, "evse_uid": 36},
    "reservations": {"location_id": 36, "evse_uid": 36},
    "ocpi_sessions": {"id": 36},
    "cdrs": {"folded_id": 39, "id": 39, "ocpi_session_id": 36},
    "invoices": {"id": 36},
}
NULLABLE = "ocpi_session_id"
MAX_ID = 100


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("token_contract", sa.String(36), nullable=True))
    op.create_index(op.f("ix_sessions_token_contract"), "sessions", ["token_contract"])
    op.execute(
        "UPDATE sessions SET token_contract = (SELECT upper(tokens.body ->> 'contract_id') FROM tokens"
        " WHERE tokens.uid = sessions.token_uid AND tokens.type = sessions.token_type)"
    )
    for of_table, ids in IDS.items():
        with op.batch_alter_table(of_table) as batch_op:
            for name, length in ids.items():
                before, after = sa.String(length), sa.String(MAX_ID)
                batch_op.alter_column(name, existing_type=before, type_=after, existing_nullable=name == NULLABLE)
    op.drop_table("authorizations")


def downgrade() -> None:
    """Undo."""
    op.create_table(
        "authorizations",
        sa.Column("reference", sa.String(36), nullable=False),
        sa.Column("token_uid", sa.String(36), nullable=False),
        sa.Column("token_type", sa.String(20), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("location_id", sa.String(36), nullable=True),
        sa.Column("created_at", tables.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_authorizations_connection_id")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_authorizations")),
    )
    for of_table, ids in IDS.items():
        with op.batch_alter_table(of_table) as batch_op:
            for name, length in ids.items():
                before, after = sa.String(MAX_ID), sa.String(length)
                batch_op.alter_column(name, existing_type=before, type_=after, existing_nullable=name == NULLABLE)
    op.drop_index(op.f("ix_sessions_token_contract"), "sessions")
    op.drop_column("sessions", "token_contract")
