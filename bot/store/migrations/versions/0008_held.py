"""Replies that waited for a run whose process died wait until somebody decides.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_runs_held",
        "runs",
        ["state", "conversation"],
        sqlite_where=sa.text("held = 1"),
        postgresql_where=sa.text("held"),
    )


def downgrade() -> None:
    op.drop_index("ix_runs_held")
    op.drop_column("runs", "held")
