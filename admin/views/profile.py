"""The tab *Profile settings*, the form of a new profile, and what is done to a whole profile: duplicate, delete."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import available_timezones

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from admin import configuration
from admin.audit import note
from admin.configuration import DIRECTIONS, ProfileSpec, Wrong, delete_profile, save_profile
from admin.views import cron
from admin.views.base import View, by, expose
from admin.views.dashboard import usual_zone
from admin.views.frame import ProfilePage, Shown, entity_word, faults_by_path, missing_settings
from admin.views.listing import counted
from admin.views.profiles import as_file
from admin.views.words import _, later, told
from connector.registry import plugins
from profiles.events import ENTITY as EVENT
from profiles.models import Connection, Profile, SyncHistory, SyncRecord, Task
from profiles.wiring import READS, WRITES

# the words of the directions, for the translators
DIRECTION_WORDS = {"export": later("Export"), "import": later("Import")}
LONGEST_NAME = 128
NEW = ""  # "now called": no profile has this name, so that one that is made never changes another


class ProfileSettings(ProfilePage):
    @expose("/", methods=["GET", "POST"])
    def index(self, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if request.method != "POST":  # HEAD reads too
                return self._page(session, shown)
        spec = shown.spec(**_given())
        try:
            with self.database.session() as session:
                changes = save_profile(session, spec, by(), now_called=shown.profile.name)
        except Wrong as error:
            with self.database.reading() as session:
                return self._page(session, shown, spec, said_by_path(error)), 422
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        return redirect(url_for(".index", profile_id=profile_id))

    @expose("/export.yaml")
    def export(self, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            name = self.show(session, profile_id).profile.name
            return as_file(configuration.export(session, profile=name), f"{name}.yaml")

    @expose("/duplicate", methods=["POST"])
    def duplicate(self, profile_id: int) -> ResponseReturnValue:
        name = request.form.get("copy_name", "").strip()
        try:
            with self.database.session() as session:
                shown = self.show(session, profile_id)
                original = shown.profile.name
                save_profile(session, shown.spec(name=name, active=False), by(), now_called=NEW)
                made = session.scalars(select(Profile.id).where(Profile.name == name)).one()
                note(session, by(), "duplicated", "profile", name, subject_id=made, after={"from": original})
        except Wrong as error:
            with self.database.reading() as session:
                shown = self.show(session, profile_id)
                said = [told(fault.sentence) for fault in error.faults]
                return self._page(session, shown, problems={"copy_name": said}, copy_name=name), 422
        flash(_("{name} was made with the same settings. It is inactive until you switch it on.", name=name), "good")
        return redirect(url_for(".index", profile_id=made))

    @expose("/delete", methods=["POST"])
    def delete(self, profile_id: int) -> ResponseReturnValue:
        problem = ""
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            name = shown.profile.name
            if request.form.get("confirm", "").strip() != name:
                problem = _("The profile was not deleted: the name you typed is not {name}.", name=name)
            else:
                try:
                    delete_profile(session, name, by())  # it leaves the line of the audit too
                except Wrong as error:
                    problem = " ".join(told(fault.sentence) for fault in error.faults)
        if problem:
            with self.database.reading() as session:
                return self._page(session, self.show(session, profile_id), problems={"confirm": [problem]}), 422
        flash(_("The profile {name} was deleted.", name=name), "good")
        return redirect(url_for("profiles.index"))

    def _page(
        self,
        session: Session,
        shown: Shown,
        spec: ProfileSpec | None = None,
        problems: Mapping[str, list[str]] | None = None,
        copy_name: str = "",
    ) -> str:
        spec = spec or shown.spec()
        mine = shown.profile.id
        lines = select(SyncHistory.id).where(SyncHistory.profile_id == mine)
        records = select(SyncRecord.id).where(SyncRecord.profile_id == mine)
        return self.render(
            "profile/settings.html",
            shown=shown,
            spec=spec,
            problems=problems or {},
            ends=ends(session),
            zones=zones(),
            presets=cron.PRESETS,
            preview=cron.preview(session, spec.cron, spec.timezone, mine),
            kept=bool(session.scalar(select(exists().where(SyncRecord.profile_id == mine)))),
            records=counted(session, records),
            lines=counted(session, lines),
            tasks=counted(session, select(Task.id).where(Task.profile_id == mine)),
            copy_name=copy_name or free_name(session, shown.profile.name),
            missing=missing_settings(session, shown.profile),
        )


class NewProfile(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        if request.method != "POST":  # HEAD reads too
            return self._page(None)
        spec = ProfileSpec(
            entity=request.form.get("entity", ""), direction=request.form.get("direction", ""), **_given()
        )
        try:
            with self.database.session() as session:
                save_profile(session, spec, by(), now_called=NEW)
                made = session.scalars(select(Profile).where(Profile.name == spec.name)).one()
                made_id, missing = made.id, missing_settings(session, made)
        except Wrong as error:
            return self._page(spec, said_by_path(error)), 422
        if missing:
            said = _("{name} was made. Before its first run it needs: {settings}.", name=spec.name,
                     settings=", ".join(missing))  # fmt: skip
        else:
            said = _("{name} was made. Look through its settings, then switch it on.", name=spec.name)
        if spec.entity == EVENT and not missing:
            flash(_("{name} was made. Add its event procedures, then switch it on.", name=spec.name), "good")
            return redirect(url_for("procedures.index", profile_id=made_id))
        flash(said, "good")
        return redirect(url_for("options.index", profile_id=made_id))

    def _page(self, spec: ProfileSpec | None, problems: Mapping[str, list[str]] | None = None) -> str:
        with self.database.reading() as session:
            found = ends(session)
            words = possible_entities(found)
            usual = usual_zone(list(session.scalars(select(Profile))))
            fresh = spec is None
            spec = spec or _asked_spec(found, _first_spec(found, usual))
            return self.render(
                "profile_new.html",
                spec=spec,
                fresh=fresh and usual == "UTC",
                problems=problems or {},
                ends=found,
                zones=zones(),
                presets=cron.PRESETS,
                preview=cron.preview(session, spec.cron, spec.timezone),
                entities=words,
                directions=[(one, DIRECTION_WORDS[one]) for one in DIRECTIONS],
                pairs=pairs(found),
                names=suggested_names(session, words),
                usual=usual_ends(found),
                crons=usual_crons(found),
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


def said_by_path(error: Wrong) -> dict[str, list[str]]:
    return {path: [told(sentence) for sentence in said] for path, said in faults_by_path(error.faults).items()}


def free_name(session: Session, name: str) -> str:
    """A name for a copy that nobody has yet."""
    taken = set(session.scalars(select(Profile.name)))
    for number in range(1, 1000):
        end = _("copy") if number == 1 else _("copy {n}", n=number)
        offered = f"{name[: LONGEST_NAME - len(end) - 3]} ({end})"
        if offered not in taken:
            return offered
    return ""


def suggested_names(session: Session, entities: Sequence[tuple[str, str]]) -> dict[str, str]:
    """A name to begin with for each kind ("order/export"), which nobody has yet."""
    taken = set(session.scalars(select(Profile.name)))
    found = {}
    for code, word in entities:
        for direction, said in (
            ("export", _("{entity} export", entity=word)),
            ("import", _("{entity} import", entity=word)),
        ):
            numbered = (said, *(f"{said} {number}" for number in range(2, 1000)))
            found[f"{code}/{direction}"] = next((one for one in numbered if one not in taken), "")
    return found


@dataclass(frozen=True, kw_only=True)
class End:
    """A connection as one end of a profile: what it can give, what it can take."""

    name: str
    label: str
    gives: Sequence[str]
    takes: Sequence[str]
    home: Sequence[str] = ()  # of these it is where they come from and go back to: a shop for its orders
    trouble: str = ""
    crons: Mapping[str, str] = field(default_factory=dict)  # how often it is read, by entity


def ends(session: Session) -> list[End]:
    found = plugins()
    made = []
    for name, code in session.execute(select(Connection.name, Connection.connector).order_by(Connection.name)):
        plugin = found.get(code)
        connector = plugin.connector if plugin else None
        resources = connector.resources if connector else ()
        made.append(
            End(
                name=name,
                label=f"{name} · {system_label(found, code)}",
                gives=[one.entity for one in resources if one.offers(READS)],
                takes=[one.entity for one in resources if one.offers(WRITES)],
                home=[one.entity for one in resources if one.takes_back],
                crons={one.entity: one.cron for one in resources if one.offers(READS)},
                trouble="" if connector else (plugin.reason if plugin and plugin.reason else _("not installed")),
            )
        )
    return made


def pairs(found: Sequence[End]) -> list[tuple[str, str, str]]:
    """(entity, from, to) of everything that the connections can do together."""
    return [
        (entity, source.name, target.name)
        for source in found
        for entity in source.gives
        for target in found
        if target.name != source.name and entity in target.takes
    ]


def usual_ends(found: Sequence[End]) -> dict[str, tuple[str, str]]:
    """From and to of each kind ("order/import"), where only one pair suits it: an export leaves an entity's home, an
    import goes there."""
    suited: dict[str, list[tuple[str, str]]] = {}
    homes = {(one.name, entity) for one in found for entity in one.home}
    for entity, source, target in pairs(found):
        for direction, home, away in (("export", source, target), ("import", target, source)):
            if (home, entity) in homes and (away, entity) not in homes:
                suited.setdefault(f"{entity}/{direction}", []).append((source, target))
    return {kind: ends[0] for kind, ends in suited.items() if len(ends) == 1}


def usual_crons(found: Sequence[End]) -> dict[str, str]:
    """How often a profile runs where people choose nothing else ("order/shop"), by entity and source."""
    return {f"{entity}/{one.name}": line for one in found for entity, line in one.crons.items()}


def possible_entities(found: Sequence[End]) -> list[tuple[str, str]]:
    """What travels between these connections; all that any of them knows while nothing can travel yet."""
    possible = {entity for entity, _source, _target in pairs(found)}
    known = possible or {entity for one in found for entity in (*one.gives, *one.takes)}
    return [(code, entity_word(code)) for code in sorted(known)]


def _first_spec(found: Sequence[End], timezone: str) -> ProfileSpec:
    """What a new form begins with: of entity, source and target the one that is possible, where there is just one."""
    possible = pairs(found)
    entities, sources, targets = ({pair[at] for pair in possible} for at in range(3))
    entity, direction = _only(entities), DIRECTIONS[0]
    source, target = usual_ends(found).get(f"{entity}/{direction}", (_only(sources), _only(targets)))
    return ProfileSpec(
        name="",
        entity=entity,
        direction=direction,
        source=source,
        target=target,
        cron=usual_crons(found).get(f"{entity}/{source}", cron.PRESETS[0][0]),
        timezone=timezone,
    )


def _asked_spec(found: Sequence[End], spec: ProfileSpec) -> ProfileSpec:
    """With what the address asks for: entity, from, to, cron. What no pair of connections can do is left out."""
    entity, source, target = (request.args.get(key, "") for key in ("entity", "from", "to"))
    fitting = [
        pair for pair in pairs(found) if pair[0] == entity and source in ("", pair[1]) and target in ("", pair[2])
    ]
    if not fitting:
        return spec
    source, target = source or _only({pair[1] for pair in fitting}), target or _only({pair[2] for pair in fitting})
    homes = {one.name for one in found if entity in one.home}
    told = {one.name for one in found if EVENT in one.takes}  # markets: what they give comes into the shop
    if source in told and not target:  # where its orders can be watched afterwards
        target = _only({pair[2] for pair in fitting} & {one.name for one in found if EVENT in one.gives})
    back = (target in homes or source in told) and source not in homes
    line = request.args.get("cron", "")[:255] or usual_crons(found).get(f"{entity}/{source}", spec.cron)
    direction = "import" if back else spec.direction
    return replace(spec, entity=entity, direction=direction, source=source, target=target, cron=line)


def _only(values: Collection[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def system_label(found: Mapping[str, Any], code: str) -> str:
    """What people call a system; its code while its connector cannot be used."""
    plugin = found.get(code)
    return plugin.connector.label if plugin and plugin.connector else code


def zones() -> list[str]:
    return sorted(available_timezones())
