"""Indexes for people: what was written lately, and how many documents each workflow has made.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE INDEX operations_first_sent ON operations USING brin (first_sent_at)
      WITH (autosummarize = on, pages_per_range = 32)
    """,
    """
    CREATE INDEX outcomes_occurred ON outcomes USING brin (occurred_at)
      WITH (autosummarize = on, pages_per_range = 32)
    """,
    "CREATE INDEX documents_created_by ON documents (workflow) WHERE state = 'created'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for index in ("documents_created_by", "outcomes_occurred", "operations_first_sent"):
        op.drop_index(index)
