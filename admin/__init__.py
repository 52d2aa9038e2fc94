"""What a person sees: the pages behind the login (`create_app`), and the command line (`cli`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from profiles.db import Database


def create_app(db: Database) -> Flask:
    """The application over one database, whose tables must be current (`Database.upgrade`)."""
    # Only here: a command without pages starts in half the time without flask and all views.
    from admin.app import create_app as make

    return make(db)
