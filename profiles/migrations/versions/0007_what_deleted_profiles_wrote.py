"""what deleted profiles wrote"""

import sqlalchemy as sa
from alembic import op

import profiles.models

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Id = profiles.models.Id


def upgrade() -> None:
    op.create_table(
        "written",
        sa.Column("id", Id, nullable=False),
        sa.Column("from_id", Id, nullable=False),
        sa.Column("to_id", Id, nullable=False),
        sa.Column("entity", sa.String(32), nullable=False),
        sa.Column("profile", sa.String(128), nullable=False),
        sa.Column("source_id", profiles.models.Key(128), nullable=False),
        sa.Column("source_number", profiles.models.Line(128), nullable=True),
        sa.Column("target_id", profiles.models.Key(128), nullable=True),
        sa.Column("refs", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("kind", profiles.models.Line(16), nullable=True),
        sa.Column("store", profiles.models.Line(128), nullable=True),
        sa.Column("source_status", profiles.models.Line(64), nullable=True),
        sa.Column("customer", profiles.models.Line(128), nullable=True),
        sa.Column("amount", profiles.models.Line(40), nullable=True),
        sa.Column("source_created_at", profiles.models.Moment(), nullable=True),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("updated_at", profiles.models.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["from_id"], ["connection.id"], name=op.f("fk_written_from_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["to_id"], ["connection.id"], name=op.f("fk_written_to_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_written")),
        sa.UniqueConstraint(
            "from_id", "to_id", "entity", "source_id", name=op.f("uq_written_from_id_to_id_entity_source_id")
        ),
    )
    op.create_index("ix_written_target", "written", ["to_id", "target_id"])


def downgrade() -> None:
    op.drop_table("written")
