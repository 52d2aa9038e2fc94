"""dry runs, the audit, saved views, second factors, and the indexes of the lists"""

import sqlalchemy as sa
from alembic import op

import profiles.models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("created_at", profiles.models.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_created", ["created_at"], unique=False)
        batch_op.create_index("ix_audit_person", ["person", "id"], unique=False)
        batch_op.create_index("ix_audit_subject", ["kind", "subject_id", "id"], unique=False)

    op.create_table(
        "saved_view",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_saved_view_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "page", "name", name=op.f("uq_saved_view_user_id_page_name")),
    )
    op.create_table(
        "dry_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("stop_asked", sa.Boolean(), nullable=False),
        sa.Column("beat_at", profiles.models.Moment(), nullable=False),
        sa.Column("created_at", profiles.models.Moment(), nullable=False),
        sa.Column("finished_at", profiles.models.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_dry_run_profile_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dry_run")),
    )
    with op.batch_alter_table("dry_run", schema=None) as batch_op:
        batch_op.create_index("ix_dry_run_profile", ["profile_id", "id"], unique=False)

    op.create_table(
        "dry_run_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dry_run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_number", sa.String(length=128), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("line", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dry_run_id"], ["dry_run.id"], name=op.f("fk_dry_run_line_dry_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dry_run_line")),
        sa.UniqueConstraint("dry_run_id", "position", name=op.f("uq_dry_run_line_dry_run_id_position")),
    )
    with op.batch_alter_table("heartbeat", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address", sa.String(length=255), nullable=True))

    with op.batch_alter_table("sync_history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sync_history_created"))
        batch_op.create_index("ix_sync_history_hours", ["created_at", "status"], unique=False)

    with op.batch_alter_table("sync_record", schema=None) as batch_op:
        batch_op.create_index("ix_sync_record_created", ["profile_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_sync_record_customer", ["profile_id", "customer", "id"], unique=False)
        batch_op.create_index(
            "ix_sync_record_failed",
            ["profile_id", "cause", "id"],
            unique=False,
            postgresql_where=sa.text("status = 'failed'"),
            sqlite_where=sa.text("status = 'failed'"),
        )

    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("totp", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("totp_used", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("preferences", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("preferences")
        batch_op.drop_column("totp_used")
        batch_op.drop_column("totp")
        batch_op.drop_column("must_change")

    with op.batch_alter_table("sync_record", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_sync_record_failed",
            postgresql_where=sa.text("status = 'failed'"),
            sqlite_where=sa.text("status = 'failed'"),
        )
        batch_op.drop_index("ix_sync_record_customer")
        batch_op.drop_index("ix_sync_record_created")

    with op.batch_alter_table("sync_history", schema=None) as batch_op:
        batch_op.drop_index("ix_sync_history_hours")
        batch_op.create_index(batch_op.f("ix_sync_history_created"), ["created_at"], unique=False)

    with op.batch_alter_table("heartbeat", schema=None) as batch_op:
        batch_op.drop_column("address")

    op.drop_table("dry_run_line")
    with op.batch_alter_table("dry_run", schema=None) as batch_op:
        batch_op.drop_index("ix_dry_run_profile")

    op.drop_table("dry_run")
    op.drop_table("saved_view")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_subject")
        batch_op.drop_index("ix_audit_person")
        batch_op.drop_index("ix_audit_created")

    op.drop_table("audit")
