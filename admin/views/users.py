"""The people who may log in: add, change a password, switch off and on."""

from __future__ import annotations

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin import auth
from admin.views.base import View, expose
from admin.views.words import _
from profiles.db import now
from profiles.models import User


class Users(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._page()

    @expose("/add", methods=["POST"])
    def add(self) -> ResponseReturnValue:
        name, role = request.form.get("name", ""), request.form.get("role", "")
        try:
            with self.database.session() as session:
                auth.add_user(session, name, request.form.get("password", ""), role)
        except auth.Refused as error:
            return self._page(name, role, str(error)), 422
        flash(_("{name} may log in now.", name=name.strip()), "good")
        return redirect(url_for(".index"))

    @expose("/<int:user_id>/password", methods=["POST"])
    def password(self, user_id: int) -> ResponseReturnValue:
        try:
            with self.database.session() as session:
                user = _user(session, user_id)
                auth.set_password(user, request.form.get("password", ""))
        except auth.Refused as error:
            flash(str(error), "bad")
            return redirect(url_for(".index"))
        if user.id == current_user.id:
            auth.enter(user)  # the change ended this session too
        flash(_("The password of {name} was changed and all sessions of that user ended.", name=user.name), "good")
        return redirect(url_for(".index"))

    @expose("/<int:user_id>/active", methods=["POST"])
    def active(self, user_id: int) -> ResponseReturnValue:
        wanted = request.form.get("active") == "yes"
        with self.database.session() as session:
            user = _user(session, user_id)
            if not wanted and (user.id == current_user.id or _last_admin(session, user)):
                flash(_("Nobody could log in to change it back: neither yourself nor the last admin."), "bad")
                return redirect(url_for(".index"))
            user.active = wanted
            user.session_epoch += 1
            user.failed_logins, user.locked_until = 0, None
        said = _("{name} may log in again.") if wanted else _("{name} may no longer log in; all sessions ended.")
        flash(said.format(name=user.name), "good")
        return redirect(url_for(".index"))

    def _page(self, name: str = "", role: str = auth.ADMIN, error: str = "") -> str:
        with self.database.reading() as session:
            users = session.scalars(select(User).order_by(User.name)).all()
            return self.render(
                "users.html",
                users=users,
                roles=auth.ROLES,
                shortest=auth.SHORTEST_PASSWORD,
                draft={"name": name, "role": role},
                error=error,
                moment=now(),
            )


def _user(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        abort(404)
    return user


def _last_admin(session: Session, user: User) -> bool:
    others = select(func.count()).where(User.role == auth.ADMIN, User.active, User.id != user.id)
    return user.role == auth.ADMIN and not session.scalar(others)
