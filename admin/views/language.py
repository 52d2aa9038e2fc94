"""The language of the pages: a choice kept with the person, or in a cookie for somebody who is not logged in."""

from __future__ import annotations

from flask import redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import auth
from admin.views.base import View, expose
from admin.views.words import LANGUAGES, SETTING
from profiles.models import User

YEAR_SECONDS = 365 * 24 * 3600


class Language(View):
    @expose("/", methods=["POST"])
    def index(self) -> ResponseReturnValue:
        answer = redirect(auth.local_path(request.form.get("next")))
        chosen = request.form.get("language")
        if chosen not in LANGUAGES:
            return answer
        if current_user.is_authenticated:
            with self.database.session() as session:
                user = session.get_one(User, current_user.id)
                user.preferences = {**(user.preferences or {}), SETTING: chosen}
        answer.set_cookie(
            SETTING, chosen, max_age=YEAR_SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
        )
        return answer

    def is_visible(self) -> bool:
        return False
