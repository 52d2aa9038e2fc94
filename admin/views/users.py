"""The people who may log in: add, give a role, switch off and on, help those who are locked out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin import auth
from admin.audit import note
from admin.views.base import View, by, expose
from admin.views.words import _, later
from profiles.db import DatabaseTrouble, now
from profiles.models import User
from profiles.secrets import seal, unseal

ONCE = "once"  # in the session: a sealed one-time password that is shown by the next page, and then forgotten
ROLES = {
    auth.ADMIN: (later("Admin"), later("changes everything: connections, profiles, users")),
    auth.OPERATOR: (
        later("Operator"),
        later("runs and stops profiles, retries orders, changes the settings of profiles"),
    ),
    auth.VIEWER: (later("Viewer"), later("looks at everything but users and audit, changes nothing")),
}


class Users(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        with self.database.reading() as transaction:
            users = transaction.scalars(select(User).order_by(User.name)).all()
            return self._shown("users.html", users=users)

    @expose("/add", methods=["GET", "POST"])
    def add(self) -> ResponseReturnValue:
        name, role, problem = request.form.get("name", ""), request.form.get("role", auth.VIEWER), ""
        if request.method == "POST":
            password = auth.one_time_password()
            try:
                with self.database.session() as transaction:
                    user = auth.add_user(transaction, name, password, role, one_time=True, person=by())
            except auth.Refused as error:
                problem = str(error)
            else:
                return _tell_once(user, password)
        page = self._shown("user_add.html", draft={"name": name, "role": role}, problem=problem)
        return (page, 422) if problem else page

    @expose("/<int:user_id>/")
    def user(self, user_id: int) -> ResponseReturnValue:
        once = _told_once(user_id)
        with self.database.reading() as transaction:
            return self._shown("user.html", user=_user(transaction, user_id), once=once)

    @expose("/<int:user_id>/role", methods=["POST"])
    def role(self, user_id: int) -> ResponseReturnValue:
        role = request.form.get("role", "")
        if role not in auth.ROLES:
            return self._refused(user_id, _("Choose one of the offered values."))
        with self.database.session() as transaction:
            user = _user(transaction, user_id)
            before, problem = user.role, _not_away(transaction, user) if role != auth.ADMIN else ""
            if not problem and before != role:
                user.role = role
                _note(transaction, user, "changed role", before={"role": before}, after={"role": role})
        if problem:
            return self._refused(user_id, problem)
        return _done(user, _("{name} has the role {role} now.", name=user.name, role=_(role)))

    @expose("/<int:user_id>/active", methods=["POST"])
    def active(self, user_id: int) -> ResponseReturnValue:
        wanted = request.form.get("active") == "yes"
        with self.database.session() as transaction:
            user = _user(transaction, user_id)
            problem = "" if wanted else _not_away(transaction, user)
            if not problem and user.active != wanted:
                user.active = wanted
                user.session_epoch += 1
                user.failed_logins, user.locked_until = 0, None
                action = "switched on" if wanted else "switched off"
                _note(transaction, user, action, before={"active": not wanted}, after={"active": wanted})
        if problem:
            return self._refused(user_id, problem)
        if wanted:
            return _done(user, _("{name} may log in again.", name=user.name))
        return _done(user, _("{name} may no longer log in, and all sessions of that user ended.", name=user.name))

    @expose("/<int:user_id>/reset", methods=["POST"])
    def reset(self, user_id: int) -> ResponseReturnValue:
        if user_id == current_user.id:
            return self._refused(user_id, _("Change your own password on the page of your account."))
        with self.database.session() as transaction:
            user = _user(transaction, user_id)
            password = auth.reset_password(transaction, user.name, person=by())
        return _tell_once(user, password)

    @expose("/<int:user_id>/unlock", methods=["POST"])
    def unlock(self, user_id: int) -> ResponseReturnValue:
        user = self._helped(user_id, auth.unlock)
        return _done(user, _("{name} may try again.", name=user.name))

    @expose("/<int:user_id>/remove-second-factor", methods=["POST"])
    def remove_second_factor(self, user_id: int) -> ResponseReturnValue:
        if user_id == current_user.id:
            return self._refused(user_id, _("Switch off your own second factor on the page of your account."))
        user = self._helped(user_id, auth.remove_second_factor)
        return _done(user, _("{name} logs in with the password alone now.", name=user.name))

    def _helped(self, user_id: int, help: Callable[..., None]) -> User:
        with self.database.session() as transaction:
            user = _user(transaction, user_id)
            help(transaction, user.name, person=by())
        return user

    def _refused(self, user_id: int, problem: str) -> ResponseReturnValue:
        with self.database.reading() as transaction:
            return self._shown("user.html", user=_user(transaction, user_id), once="", problem=problem), 422

    def _shown(self, template: str, **values: Any) -> str:
        return self.render(template, roles=ROLES, moment=now(), **values)


def _user(transaction: Session, user_id: int) -> User:
    user = transaction.get(User, user_id) if user_id < 2**63 else None
    if user is None:
        abort(404)
    return user


def _not_away(transaction: Session, user: User) -> str:
    """Why this user must stay an active admin; empty when not. The admins are locked: two may not remove each other."""
    if user.id == current_user.id:
        return _("You cannot take that from yourself. Ask another admin.")
    admins = select(User.id).where(User.role == auth.ADMIN, User.active).with_for_update()
    if set(transaction.scalars(admins)) == {user.id}:
        return _("This is the last active admin: nobody could undo it.")
    return ""


def _note(transaction: Session, user: User, action: str, **values: Any) -> None:
    note(transaction, by(), action, auth.KIND, user.name, subject_id=user.id, **values)


def _done(user: User, said: str) -> ResponseReturnValue:
    flash(said, "good")
    return redirect(url_for(".user", user_id=user.id))


def _tell_once(user: User, password: str) -> ResponseReturnValue:
    session[ONCE] = seal([user.id, password])
    return redirect(url_for(".user", user_id=user.id))


def _told_once(user_id: int) -> str:
    try:
        id, password = unseal(session.get(ONCE) or "") or (None, "")
    except DatabaseTrouble:
        return ""
    if id != user_id:
        return ""
    del session[ONCE]
    return str(password)
