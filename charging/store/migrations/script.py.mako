"""${message}

Revision: ${up_revision}; revises: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op

from charging.store import tables
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Apply."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo."""
    ${downgrades if downgrades else "pass"}
