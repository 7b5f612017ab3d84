"""A waiting reply can be put before others: runs wait by rank, which begins as the order of the requests.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("rank", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE runs SET rank = seq")
    op.drop_index("ix_runs_state_ready_seq", table_name="runs")
    op.drop_index("ix_runs_conversation_state_seq", table_name="runs")
    op.create_index("ix_runs_state_ready_rank", "runs", ["state", "ready", "rank"])
    op.create_index("ix_runs_conversation_state_rank", "runs", ["conversation", "state", "rank"])
    op.create_index("ix_runs_workspace_state_rank", "runs", ["workspace", "state", "rank"])


def downgrade() -> None:
    op.drop_index("ix_runs_workspace_state_rank", table_name="runs")
    op.drop_index("ix_runs_conversation_state_rank", table_name="runs")
    op.drop_index("ix_runs_state_ready_rank", table_name="runs")
    op.create_index("ix_runs_conversation_state_seq", "runs", ["conversation", "state", "seq"])
    op.create_index("ix_runs_state_ready_seq", "runs", ["state", "ready", "seq"])
    op.drop_column("runs", "rank")
