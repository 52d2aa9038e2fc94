"""Every view with its place, in the order of the menu."""

from __future__ import annotations

from admin.views.account import Account
from admin.views.audit import Audits
from admin.views.base import View
from admin.views.connection_form import EditConnection, NewConnection
from admin.views.connections import Connections
from admin.views.dashboard import Dashboard
from admin.views.datalog import Log
from admin.views.dry_run import DryRuns
from admin.views.language import Language
from admin.views.login import Login
from admin.views.options import ExportSettings
from admin.views.orders import Orders
from admin.views.procedures import EventProcedures
from admin.views.profile import NewProfile, ProfileSettings
from admin.views.profiles import Profiles
from admin.views.record_history import RecordHistory
from admin.views.records import Records
from admin.views.schedule import Schedule
from admin.views.task_history import TaskHistories
from admin.views.tasks import Tasks
from admin.views.users import Users
from admin.views.words import later
from profiles.db import Database


def all_views(db: Database) -> list[View]:
    """The first page comes first."""
    one_profile = "/profiles/<int:profile_id>"
    return [
        Dashboard(db, name=later("Dashboard"), endpoint="dashboard", url="/", icon="dashboard"),
        Profiles(db, name=later("Profiles"), endpoint="profiles", url="/profiles", icon="profiles"),
        Orders(db, name=later("Orders"), endpoint="orders", url="/orders", icon="orders"),
        EventProcedures(db, name=later("Event procedures"), endpoint="procedures", url="/procedures", icon="event"),
        Schedule(db, name=later("Schedule"), endpoint="schedule", url="/schedule", icon="clock"),
        Connections(db, name=later("Connections"), endpoint="connections", url="/connections", icon="connections"),
        Log(db, name=later("Data log"), endpoint="log", url="/log", icon="log"),
        Users(db, name=later("Users"), endpoint="users", url="/users", icon="users"),
        Audits(db, name=later("Audit"), endpoint="audit", url="/audit", icon="audit"),
        Account(db, name=later("Your account"), endpoint="account", url="/account"),
        Login(db, name=later("Log in"), endpoint="login", url="/login"),
        Language(db, name=later("Language"), endpoint="language", url="/language"),
        NewProfile(db, name=later("New profile"), endpoint="new_profile", url="/profiles/new", under="profiles"),
        ProfileSettings(db, name=later("Profile"), endpoint="profile", url=one_profile, under="profiles"),
        ExportSettings(db, name=later("Settings"), endpoint="options", url=f"{one_profile}/options", under="profiles"),
        Records(db, name=later("Records"), endpoint="records", url=f"{one_profile}/records", under="profiles"),
        RecordHistory(
            db, name=later("History"), endpoint="record_history", url=f"{one_profile}/history", under="profiles"
        ),
        Tasks(db, name=later("Tasks"), endpoint="tasks", url=f"{one_profile}/schedule", under="profiles"),
        TaskHistories(
            db,
            name=later("Schedule history"),
            endpoint="task_history",
            url=f"{one_profile}/schedule-history",
            under="profiles",
        ),
        DryRuns(db, name=later("Dry run"), endpoint="dry_run", url=f"{one_profile}/dry-run", under="profiles"),
        NewConnection(
            db, name=later("New connection"), endpoint="new_connection", url="/connections/new", under="connections"
        ),
        EditConnection(
            db,
            name=later("Edit connection"),
            endpoint="edit_connection",
            url="/connections/<int:connection_id>/edit",
            under="connections",
        ),
    ]
