"""The person's own page: password, language, theme, second factor, other sessions."""

from __future__ import annotations

from flask import flash, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session

from admin import auth, second_factor
from admin.audit import note
from admin.views.base import View, expose
from admin.views.users import ROLES
from admin.views.words import LANGUAGES, SETTING, _
from profiles.models import User
from profiles.secrets import seal, unseal

NEW_KEY = "new_key"  # in the session: the sealed key of a second factor that is being set up
Problems = dict[str, str]


class Account(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._page()

    @expose("/choose", methods=["GET", "POST"])
    def choose(self) -> ResponseReturnValue:
        """A new password in place of one that was given for one login."""
        back = auth.local_path(request.args.get("next"))
        if not current_user.must_change:
            return redirect(back if request.args.get("next") else url_for(".index"))
        problems: Problems = {}
        if request.method == "POST":
            with self.database.session() as transaction:
                user = _myself(transaction)
                new = _new_password(problems)
                if new and auth.same_password(user, new):
                    problems["new"] = _("That is the password you were given. Choose another one.")
                elif new:
                    _change_password(transaction, user, new, problems)
            if not problems:
                auth.enter(user)
                flash(_("Your new password holds from now on."), "good")
                return redirect(back)
        page = self.render("account_choose.html", shortest=auth.SHORTEST_PASSWORD, problems=problems)
        return (page, 422) if problems else page

    @expose("/password", methods=["POST"])
    def password(self) -> ResponseReturnValue:
        problems: Problems = {}
        with self.database.session() as transaction:
            user = _myself(transaction)
            new = _new_password(problems)
            if not problems:
                _prove(transaction, user, "old", problems)
            if new and not problems:
                _change_password(transaction, user, new, problems)
        if problems:
            return self._page(problems), 422
        auth.enter(user)  # the change ended this session too
        flash(_("Your password was changed, and all your other sessions ended."), "good")
        return redirect(url_for(".index"))

    @expose("/looks", methods=["POST"])
    def looks(self) -> ResponseReturnValue:
        """Language and theme; an empty language is the browser's."""
        language, theme = request.form.get("language", ""), request.form.get("theme", "")
        if (language and language not in LANGUAGES) or theme not in auth.THEMES:
            return self._page({"looks": _("Choose one of the offered values.")}), 422
        with self.database.session() as transaction:
            auth.prefer(transaction, current_user.id, **{SETTING: language or None, auth.THEME: theme})
        answer = redirect(url_for(".index"))
        if not language:
            answer.delete_cookie(SETTING)
        flash(_("Saved."), "good")
        return answer

    @expose("/theme", methods=["POST"])
    def theme(self) -> ResponseReturnValue:
        """The button in the top bar: it has changed the page already, this makes it last."""
        theme = request.form.get("theme", "")
        if theme not in auth.THEMES:
            return jsonify(error=_("Choose one of the offered values.")), 422
        with self.database.session() as transaction:
            auth.prefer(transaction, current_user.id, **{auth.THEME: theme})
        return jsonify(theme=theme)

    @expose("/sessions", methods=["POST"])
    def sessions(self) -> ResponseReturnValue:
        with self.database.session() as transaction:
            user = _myself(transaction)
            user.session_epoch += 1
            note(transaction, user.name, "ended other sessions", auth.KIND, user.name, subject_id=user.id)
        auth.enter(user)
        flash(_("All your other sessions have ended."), "good")
        return redirect(url_for(".index"))

    @expose("/second-factor", methods=["GET", "POST"])
    def factor(self) -> ResponseReturnValue:
        """Set it up: a key to scan, then a code that proves it."""
        if current_user.has_second_factor:
            return redirect(url_for(".index"))
        problems: Problems = {}
        if request.method == "POST" and "code" in request.form:
            return self._confirmed(problems)
        if request.method == "POST":
            with self.database.session() as transaction:
                _prove(transaction, _myself(transaction), "password", problems)
            if problems:
                return self._page(problems), 422
            session[NEW_KEY] = seal(second_factor.new().key)
            return redirect(url_for(".factor"))
        return self._set_up(problems) if NEW_KEY in session else redirect(url_for(".index"))

    def _confirmed(self, problems: Problems) -> ResponseReturnValue:
        if NEW_KEY not in session:
            return redirect(url_for(".index"))
        key = str(unseal(session[NEW_KEY]))
        code = second_factor.plain(request.form.get("code", "")[:64])
        step = second_factor.Factor(key=key).step_of(code, 0)
        if step is None:
            problems["code"] = _("That is not the code of this moment. Is the clock of the phone right?")
            return self._set_up(problems), 422
        codes = second_factor.recovery_codes()
        with self.database.session() as transaction:
            user = _myself(transaction)
            user.totp, user.totp_used = second_factor.made(key, codes).sealed(), step
            user.session_epoch += 1
            _note(transaction, user, "switched on second factor")
        auth.enter(user)
        return self._codes(codes, new=True)

    @expose("/recovery-codes", methods=["POST"])
    def recovery(self) -> ResponseReturnValue:
        """New recovery codes; the old ones end."""
        problems: Problems = {}
        codes = second_factor.recovery_codes()
        with self.database.session() as transaction:
            user = _myself(transaction)
            if user.totp is not None and _prove(transaction, user, "password", problems):
                user.totp = second_factor.made(second_factor.opened(user.totp).key, codes).sealed()
                _note(transaction, user, "made new recovery codes")
        if problems:
            return self._page(problems), 422
        return self._codes(codes) if user.totp is not None else redirect(url_for(".index"))

    @expose("/second-factor/off", methods=["POST"])
    def factor_off(self) -> ResponseReturnValue:
        problems: Problems = {}
        with self.database.session() as transaction:
            user = _myself(transaction)
            if _prove(transaction, user, "password", problems):
                auth.remove_second_factor(transaction, user.name, person=user.name)
        if problems:
            return self._page(problems), 422
        auth.enter(user)
        flash(_("The second factor is switched off: your password alone is enough again."), "good")
        return redirect(url_for(".index"))

    def is_visible(self) -> bool:
        return False

    def _page(self, problems: Problems | None = None) -> str:
        with self.database.reading() as transaction:
            user = _myself(transaction)
            left = len(second_factor.opened(user.totp).recovery) if user.totp else 0
            return self.render(
                "account.html",
                user=user,
                roles=ROLES,
                left=left,
                problems=problems or {},
                shortest=auth.SHORTEST_PASSWORD,
                chosen_language=(user.preferences or {}).get(SETTING, ""),
                chosen_theme=auth.theme() or auth.SYSTEM,
            )

    def _set_up(self, problems: Problems) -> str:
        made = second_factor.Factor(key=str(unseal(session[NEW_KEY])))
        return self.render("account_factor.html", factor=made, problems=problems)

    def _codes(self, codes: list[str], new: bool = False) -> str:
        return self.render("account_codes.html", codes=codes, new=new)


def _myself(transaction: Session) -> User:
    return transaction.get_one(User, current_user.id)


def _new_password(problems: Problems) -> str:
    new, again = request.form.get("new", ""), request.form.get("again", "")
    if not new:
        problems["new"] = _("Type a new password.")
    elif new != again:
        problems["again"] = _("The two are not the same. Type it once more.")
    return new


def _prove(transaction: Session, user: User, field: str, problems: Problems) -> bool:
    """The password of somebody who is logged in, asked again for what a thief of the session must not do."""
    right = auth.knows_password(transaction, user, request.form.get(field, "")[: auth.LONGEST_PASSWORD])
    if not right:
        problems[field] = _("That is not your password, or there were too many wrong ones: then wait a little.")
        _note(transaction, user, "failed to prove password")
    return right


def _change_password(transaction: Session, user: User, new: str, problems: Problems) -> None:
    try:
        auth.set_password(user, new)
    except auth.Refused as error:
        problems["new"] = str(error)
        return
    _note(transaction, user, "changed password")


def _note(transaction: Session, user: User, action: str) -> None:
    note(transaction, user.name, action, auth.KIND, user.name, subject_id=user.id)
