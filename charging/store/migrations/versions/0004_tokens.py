"""Stable tokens and their pushes; reservations; commands that no session has

Revision: 0004; revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from charging.store import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

HOLDS_EVSE = "status IN ('pending', 'reserved', 'cancelling')"


def upgrade() -> None:
    """Apply."""
    op.add_column("connections", sa.Column("start_token", sa.String(10), nullable=False, server_default="one_time"))
    op.add_column("connections", sa.Column("tokens_offered_at", tables.UtcDateTime(), nullable=True))
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.add_column(sa.Column("token_type", sa.String(20), nullable=False, server_default="AD_HOC_USER"))
        batch_op.drop_constraint("uq_sessions_token_uid", type_="unique")
        batch_op.create_index("ix_sessions_token_uid", ["token_uid"])
    op.add_column("tokens", sa.Column("user_id", sa.String(255), nullable=True))
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "token_pushes",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("sent", tables.Json, nullable=True),
        sa.Column("due_at", tables.UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_token_pushes_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "uid", "type", name=op.f("pk_token_pushes")),
    )
    op.create_index("ix_token_pushes_due", "token_pushes", ["due_at"])
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
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("key", sa.String(255), nullable=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("evse_id", sa.String(64), nullable=False),
        sa.Column("network", sa.String(100), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("location_id", sa.String(36), nullable=False),
        sa.Column("evse_uid", sa.String(36), nullable=False),
        sa.Column("authorization_reference", sa.String(36), nullable=False),
        sa.Column("token", tables.Json, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("result", sa.String(100), nullable=True),
        sa.Column("session_id", sa.String(36), nullable=True),
        sa.Column("expires_at", tables.UtcDateTime(), nullable=False),
        sa.Column("created_at", tables.UtcDateTime(), nullable=False),
        sa.Column("updated_at", tables.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_reservations_connection_id")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_reservations_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        sa.UniqueConstraint("authorization_reference", name=op.f("uq_reservations_authorization_reference")),
        sa.UniqueConstraint("user_id", "key", name="uq_reservations_user_id_key"),
    )
    op.create_index(
        "uq_reservations_evse",
        "reservations",
        ["connection_id", "location_id", "evse_uid"],
        unique=True,
        sqlite_where=sa.text(HOLDS_EVSE),
        postgresql_where=sa.text(HOLDS_EVSE),
    )
    with op.batch_alter_table("commands") as batch_op:
        batch_op.alter_column("session_id", existing_type=sa.String(36), nullable=True)
        batch_op.add_column(sa.Column("reservation_id", sa.String(36), nullable=True))
        batch_op.create_foreign_key(op.f("fk_commands_reservation_id"), "reservations", ["reservation_id"], ["id"])
        batch_op.create_index("ix_commands_reservation_id", ["reservation_id"])


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("commands") as batch_op:
        batch_op.drop_index("ix_commands_reservation_id")
        batch_op.drop_constraint(op.f("fk_commands_reservation_id"), type_="foreignkey")
        batch_op.drop_column("reservation_id")
        batch_op.alter_column("session_id", existing_type=sa.String(36), nullable=False)
    for table in ("reservations", "authorizations", "token_pushes"):
        op.drop_table(table)
    op.drop_index("ix_tokens_user_id", "tokens")
    op.drop_column("tokens", "user_id")
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.drop_index("ix_sessions_token_uid")
        batch_op.create_unique_constraint("uq_sessions_token_uid", ["token_uid"])
        batch_op.drop_column("token_type")
    op.drop_column("connections", "tokens_offered_at")
    op.drop_column("connections", "start_token")
