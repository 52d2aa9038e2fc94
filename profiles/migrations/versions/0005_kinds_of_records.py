"""what a record is, where an entity has several kinds"""

import sqlalchemy as sa
from alembic import op

import profiles.models

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sync_record", sa.Column("kind", profiles.models.Line(16), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_record", "kind")
