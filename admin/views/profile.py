"""The tab *Profile settings*, and the form of a new profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration import DIRECTIONS, ProfileSpec, Wrong, delete_profile, save_profile
from admin.views.base import View, by, expose
from admin.views.frame import ProfilePage, Shown, entity_word, faults_by_path
from admin.views.words import _
from connector.registry import plugins
from profiles.models import Connection, Profile


class ProfileSettings(ProfilePage):
    @expose("/", methods=["GET", "POST"])
    def index(self, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if request.method == "GET":
                return self._page(session, shown)
        spec = shown.spec(**_given())
        try:
            with self.database.session() as session:
                changes = save_profile(session, spec, by(), now_called=shown.profile.name)
        except Wrong as error:
            with self.database.reading() as session:
                return self._page(session, shown, spec, faults_by_path(error.faults)), 422
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        return redirect(url_for(".index", profile_id=profile_id))

    @expose("/delete", methods=["POST"])
    def delete(self, profile_id: int) -> ResponseReturnValue:
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            name = shown.profile.name
            if request.form.get("confirm", "").strip() != name:
                flash(_("The profile was not deleted: the name you typed is not {name}.", name=name), "bad")
                return redirect(url_for(".index", profile_id=profile_id))
            try:
                delete_profile(session, name)
            except Wrong as error:
                flash(str(error), "bad")
                return redirect(url_for(".index", profile_id=profile_id))
        flash(_("The profile {name} was deleted.", name=name), "good")
        return redirect(url_for("profiles.index"))

    def _page(
        self,
        session: Session,
        shown: Shown,
        spec: ProfileSpec | None = None,
        problems: Mapping[str, list[str]] | None = None,
    ) -> str:
        return self.render(
            "profile/settings.html",
            shown=shown,
            spec=spec or shown.spec(),
            problems=problems or {},
            connections=connection_names(session),
            zones=zones(),
        )


class NewProfile(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        if request.method == "GET":
            return self._page(ProfileSpec(name="", entity="", direction="", source="", target="", cron="*/15 * * * *"))
        spec = ProfileSpec(
            entity=request.form.get("entity", ""), direction=request.form.get("direction", ""), **_given()
        )
        try:
            with self.database.session() as session:
                save_profile(session, spec, by())
                made = session.scalars(select(Profile.id).where(Profile.name == spec.name)).one()
        except Wrong as error:
            return self._page(spec, faults_by_path(error.faults)), 422
        flash(_("The profile {name} was made. Now check its settings.", name=spec.name), "good")
        return redirect(url_for("options.index", profile_id=made))

    def _page(self, spec: ProfileSpec, problems: Mapping[str, list[str]] | None = None) -> str:
        with self.database.reading() as session:
            return self.render(
                "profile_new.html",
                spec=spec,
                problems=problems or {},
                connections=connection_names(session),
                zones=zones(),
                entities=[(code, entity_word(code)) for code in entities()],
                directions=[(one, one.capitalize()) for one in DIRECTIONS],
            )


def _given() -> dict[str, Any]:
    form = request.form
    return {
        "name": form.get("name", "").strip(),
        "active": form.get("active") == "yes",
        "cron": form.get("cron", "").strip(),
        "timezone": form.get("timezone", "").strip(),
        "source": form.get("from", ""),
        "target": form.get("to", ""),
    }


def connection_names(session: Session) -> list[tuple[str, str]]:
    rows = session.execute(select(Connection.name, Connection.connector).order_by(Connection.name))
    found = plugins()
    return [(name, f"{name} · {system_label(found, code)}") for name, code in rows]


def system_label(found: Mapping[str, Any], code: str) -> str:
    """What people call a system; its code while its connector cannot be used."""
    plugin = found.get(code)
    return plugin.connector.label if plugin and plugin.connector else code


def entities() -> list[str]:
    """All that any installed connector can send."""
    usable = [plugin.connector for plugin in plugins().values() if plugin.connector]
    return sorted({resource.entity for connector in usable for resource in connector.resources})


def zones() -> list[str]:
    return sorted(available_timezones())
