"""The login page, the code of the second factor, and the way out."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin import auth
from admin.audit import note
from admin.views.base import View, expose
from admin.views.words import _
from profiles.models import User


class Login(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        back = auth.local_path(request.args.get("next"))
        if request.method != "POST":
            return redirect(back) if current_user.is_authenticated else self._page("login.html", name="")
        name, password = request.form.get("name", "")[: auth.LONGEST_NAME], request.form.get("password", "")
        with self.database.session() as session:
            user = auth.verify(session, name, password[: auth.LONGEST_PASSWORD])
            if user is None:
                _note_failure(session, name)
            elif user.totp is None:
                _note_login(session, user)
        if user is None:
            # The same words whatever was wrong, so that they tell nobody which names exist.
            said = _("Name or password is wrong, or there were too many wrong ones: then wait a little and try again.")
            return self._page("login.html", name=name, error=said), 401
        if user.totp is not None:
            auth.ask_for_code(user)
            return redirect(url_for("login.code", next=request.args.get("next")))
        auth.enter(user)
        return redirect(back)

    @expose("/code", methods=["GET", "POST"])
    def code(self) -> ResponseReturnValue:
        """The second page of the login, for those who have a second factor."""
        code, right = request.form.get("code", "")[:64], False
        asked = request.method == "POST"
        with self.database.session() if asked else self.database.reading() as session:
            user = auth.asked_for_code(session)
            if user is not None and asked:
                right = auth.verify_code(session, user, code)
                if right:
                    _note_login(session, user)
                else:
                    _note_failure(session, user.name)
        if user is None:
            return redirect(url_for("login.index", next=request.args.get("next")))
        if right:
            auth.enter(user)
            return redirect(auth.local_path(request.args.get("next")))
        if not asked:
            return self._page("login_code.html")
        said = _(
            "That code is wrong or was used before, or there were too many wrong ones: "
            "wait for the next code and try again."
        )
        return self._page("login_code.html", error=said), 401

    @expose("/out", methods=["POST"])
    def out(self) -> ResponseReturnValue:
        auth.leave(self.database)
        return redirect(url_for("login.index"))

    def is_visible(self) -> bool:
        return False

    def _page(self, template: str, error: str = "", **values: Any) -> str:
        return self.render(template, error=error, ended=request.args.get("ended") == "1", **values)


def _note_login(session: Session, user: User) -> None:
    after = {"address": request.remote_addr}
    note(session, user.name, "logged in", auth.KIND, user.name, subject_id=user.id, after=after)


def _note_failure(session: Session, name: str) -> None:
    """A name that is not a user's is not kept: people type their password there."""
    known = session.execute(select(User.id, User.name).where(User.name == name.strip())).first()
    id, subject = known or (None, auth.STRANGER)
    after = {"address": request.remote_addr}
    note(session, auth.STRANGER, "failed to log in", auth.KIND, subject, subject_id=id, after=after)
