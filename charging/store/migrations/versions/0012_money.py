"""Money

Revision: 0012; revises: 0011
"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from charging.money import to_minor
from charging.store import tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("connections", sa.Column("tariff_rules", tables.Json, nullable=True))
    op.add_column("cdrs", sa.Column("audit", tables.Json, nullable=True))
    op.add_column("cdrs", sa.Column("dispute", sa.String(10), nullable=True))
    op.add_column("cdrs", sa.Column("decided_at", tables.UtcDateTime(), nullable=True))
    op.add_column("cdrs", sa.Column("due_minor", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_cdrs_dispute"), "cdrs", ["dispute", "received_at"])
    op.execute("UPDATE cdrs SET dispute = 'open' WHERE state = 'quarantined'")
    _fill_in_dues()


def _fill_in_dues() -> None:
    """What each CDR that is settled already adds: a bill its total, its credit the same taken back."""
    c = sa.table(
        "cdrs",
        *(sa.column(name) for name in ("public_id", "state", "due_minor")),
        sa.column("body", tables.Json),
    )
    bind = op.get_bind()
    settled = sa.select(c.c.public_id, c.c.body).where(c.c.state == "settled")
    for public_id, body in bind.execute(settled).all():
        total = body["total_cost"]
        due = abs(Decimal(str(total["excl_vat"] if total.get("incl_vat") is None else total["incl_vat"])))
        minor = to_minor(-due if body.get("credit") is True else due, body["currency"])
        bind.execute(sa.update(c).where(c.c.public_id == public_id).values(due_minor=minor))


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_cdrs_dispute"), "cdrs")
    for name in ("due_minor", "decided_at", "dispute", "audit"):
        op.drop_column("cdrs", name)
    op.drop_column("connections", "tariff_rules")
