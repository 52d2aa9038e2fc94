"""The login page, and the way out."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import auth
from admin.views.base import View, expose
from admin.views.words import _


class Login(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        back = auth.local_path(request.args.get("next"))
        if request.method == "GET":
            return redirect(back) if current_user.is_authenticated else self._page("")
        name, password = request.form.get("name", ""), request.form.get("password", "")
        with self.database.session() as session:
            user = auth.verify(session, name[:128], password[:1024])
        if user is None:
            # The same words whatever was wrong, so that they tell nobody which names exist.
            return self._page(name, wrong=True), 401
        auth.enter(user)
        return redirect(back)

    @expose("/out", methods=["POST"])
    def out(self) -> ResponseReturnValue:
        auth.leave(self.database)
        return redirect(url_for("login.index"))

    def is_visible(self) -> bool:
        return False

    def _page(self, name: str, wrong: bool = False) -> str:
        said = _("Name or password is wrong, or there were too many wrong ones: then wait a little and try again.")
        return self.render("login.html", name=name, error=said if wrong else "")
