"""Every run has an owner until its end is with Slack, and owners say that they live.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer()),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("beat_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.add_column("runs", sa.Column("settled", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("runs", sa.Column("outcome", sa.Text()))
    op.add_column("runs", sa.Column("parts", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE runs SET settled = true WHERE ended_at IS NOT NULL")
    op.create_index("ix_runs_settled_owner", "runs", ["settled", "owner"])


def downgrade() -> None:
    op.drop_index("ix_runs_settled_owner", table_name="runs")
    op.drop_column("runs", "parts")
    op.drop_column("runs", "outcome")
    op.drop_column("runs", "settled")
    op.drop_table("workers")
