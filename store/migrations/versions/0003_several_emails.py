"""Customers with several e-mail addresses are found by each of them.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX quickbooks_references_several_emails ON quickbooks_references (realm_id)
          WHERE email_key LIKE '%,%'
        """
    )


def downgrade() -> None:
    op.drop_index("quickbooks_references_several_emails")
