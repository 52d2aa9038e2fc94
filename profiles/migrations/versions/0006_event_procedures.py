"""event procedures, what was seen of watched orders, devices by number, accounts that are switched off"""

import sqlalchemy as sa
from alembic import op

import profiles.models

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = profiles.models.Id


def upgrade() -> None:
    op.add_column("connection", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "event_procedure",
        sa.Column("id", Id, nullable=False),
        sa.Column("profile_id", Id, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("procedure", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", profiles.models.Moment(), nullable=False),
        sa.Column("updated_at", profiles.models.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_event_procedure_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_procedure")),
        sa.UniqueConstraint("profile_id", "name", name=op.f("uq_event_procedure_profile_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "watched",
        sa.Column("id", Id, nullable=False),
        sa.Column("profile_id", Id, nullable=False),
        sa.Column("source_id", profiles.models.Key(128), nullable=False),
        sa.Column("version", profiles.models.Key(128), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("updated_at", profiles.models.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_watched_profile_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched")),
        sa.UniqueConstraint("profile_id", "source_id", name=op.f("uq_watched_profile_id_source_id")),
    )
    op.create_table(
        "identifier",
        sa.Column("id", Id, nullable=False),
        sa.Column("profile_id", Id, nullable=False),
        sa.Column("source_id", profiles.models.Key(128), nullable=False),
        sa.Column("source_number", profiles.models.Line(128), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", profiles.models.Key(128), nullable=False),
        sa.Column("seen_at", profiles.models.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profile.id"], name=op.f("fk_identifier_profile_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifier")),
        sa.UniqueConstraint("profile_id", "source_id", "value", name=op.f("uq_identifier_profile_id_source_id_value")),
    )
    op.create_index("ix_identifier_value", "identifier", ["value"])


def downgrade() -> None:
    op.drop_table("identifier")
    op.drop_table("watched")
    op.drop_table("event_procedure")
    op.drop_column("connection", "active")
