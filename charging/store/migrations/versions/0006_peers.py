"""Peers

Revision: 0006; revises: 0005
"""

import sqlalchemy as sa
from alembic import op

import charging.store.tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    time = charging.store.tables.UtcDateTime(timezone=True)
    op.create_table(
        "peer_health",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("process", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", time, nullable=True),
        sa.Column("retry_at", time, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_ok_at", time, nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_peer_health_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "process", name=op.f("pk_peer_health")),
    )
    op.create_table(
        "client_infos",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("last_updated", time, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_client_infos_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "country_code", "party_id", "role", name=op.f("pk_client_infos")),
    )
    op.add_column("connections", sa.Column("hub_party_id", sa.String(5), nullable=True))
    op.add_column("odd_messages", sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_odd_messages_connection", "odd_messages", ["connection_id", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_odd_messages_connection", "odd_messages")
    op.drop_column("odd_messages", "size")
    op.drop_column("connections", "hub_party_id")
    op.drop_table("client_infos")
    op.drop_table("peer_health")
