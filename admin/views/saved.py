"""What a person keeps of a list: which columns in which order, and named views (filters, sorting and columns).

Everybody has their own; a list's view is mixed with `Saved`, which gives it the routes and knows what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin.views.base import expose
from admin.views.listing import FILTERS, Column, clean, here
from admin.views.words import _
from profiles.db import Database
from profiles.models import SavedView, User

COLUMNS, DEFAULTS = "columns", "default_views"  # among a person's preferences, by list
PASSING = ("view", "task", "deep", "live")  # filters of the moment: no part of a view
MOST_VIEWS = 50
LONGEST_NAME = 60
LONGEST_QUERY = 4000
NO_VIEW = "0"  # in the address: the list as it is without a view


class NoView(Exception):
    """A view cannot be kept as given; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the person has for the list that is shown."""

    views: Sequence[Any] = ()
    current: SavedView | None = None
    changed: bool = False  # what is shown differs from the view that it began with
    default: int | None = None
    links: Mapping[int, str] = field(default_factory=dict)  # addresses of the views
    columns: Sequence[Column] = ()  # shown, in their order
    hidden: Sequence[Column] = ()
    own_columns: bool = False
    trouble: str = ""  # why a view was not kept
    name: str = ""  # as typed then
    doing: str = ""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    said: str = ""
    name: str = ""
    doing: str = field(default="")


class Saved:
    """For views of lists: `page` names the list, `_answer` draws it again with a trouble."""

    database: Database

    def page(self, **place: Any) -> str:
        raise NotImplementedError

    def _answer(self, trouble: Trouble = Trouble(), **place: Any) -> ResponseReturnValue:
        raise NotImplementedError

    @expose("/columns", methods=["POST"])
    def columns(self, **place: Any) -> ResponseReturnValue:
        """Keep which columns are shown, and in which order; `reset` goes back to the usual ones."""
        chosen = [key for key in request.form.getlist("column") if len(key) <= 64][:80]
        keep = dict(_preference(COLUMNS))
        if chosen and "reset" not in request.form:
            keep[self.page(**place)] = list(dict.fromkeys(chosen))
        else:
            keep.pop(self.page(**place), None)
        with self.database.session() as session:
            _prefer(session, COLUMNS, keep)
        return redirect(here(columns=None))

    @expose("/views", methods=["POST"])
    def views(self, **place: Any) -> ResponseReturnValue:
        """Add, change, rename or delete a view of one's own, or make it the one that the list begins with."""
        doing, name = request.form.get("do", ""), clean(request.form.get("name"), 1000)
        do = DEEDS.get(doing)
        if do is None:
            abort(400)
        try:
            with self.database.session() as session:
                shown = do(session, self.page(**place), name)
        except NoView as error:
            return self._answer(Trouble(said=str(error), name=name, doing=doing), **place), 422
        return redirect(url_for(".index", **place, **shown))

    def begin(self, page: str) -> ResponseReturnValue | None:
        """Where to go instead: a list that is opened without any filter begins with the person's default view."""
        if request.method != "GET" or any(request.args.get(key) for key in (*FILTERS, "before", "after")):
            return None
        default = _preference(DEFAULTS).get(page)
        if not isinstance(default, int):
            return None
        with self.database.reading() as session:
            view = _own(session, page, str(default))
        return redirect(url_for(".index", **(request.view_args or {}), **address_of(view))) if view else None

    def kept(
        self, session: Session, page: str, usual: Sequence[Column], more: Sequence[Column], trouble: Trouble
    ) -> Kept:
        """The person's views of this list, and the columns that the address or the person chose."""
        views = session.scalars(
            select(SavedView)
            .where(SavedView.user_id == current_user.id, SavedView.page == page)
            .order_by(SavedView.name)
        ).all()
        asked = request.args.get("view", "")
        current = next((one for one in views if str(one.id) == asked), None)
        given = clean(request.args.get("columns"), 2000)
        own = given.split(",") if given else _preference(COLUMNS).get(page)
        known = {one.key: one for one in (*usual, *more)}
        shown = [known[key] for key in own if isinstance(key, str) and key in known] if isinstance(own, list) else []
        if shown and usual[0] not in shown:
            shown.insert(0, usual[0])  # it leads to the record
        columns = shown or list(usual)
        return Kept(
            views=views,
            current=current,
            changed=current is not None and _canonical(current.query) != _canonical(_query()),
            default=_preference(DEFAULTS).get(page),
            links={one.id: url_for(".index", **(request.view_args or {}), **address_of(one)) for one in views},
            columns=columns,
            hidden=[one for one in (*usual, *more) if one not in columns],
            own_columns=bool(shown),
            trouble=trouble.said,
            name=trouble.name,
            doing=trouble.doing,
        )


def address_of(view: SavedView) -> dict[str, str]:
    """The filters of a view as parts of an address: known ones only, whatever the table holds."""
    given = dict(parse_qsl(view.query)[:60])
    return {key: value for key, value in given.items() if key in FILTERS and key not in PASSING} | {
        "view": str(view.id)
    }


def _query() -> str:
    """What the address asks for, with the columns that the person sees."""
    kept = {key: request.args.get(key, "") for key in FILTERS if key not in PASSING}
    return urlencode({key: value for key, value in kept.items() if value})


def _canonical(query: str) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in parse_qsl(query) if key in FILTERS and key not in PASSING)


def _add(session: Session, page: str, name: str) -> dict[str, str]:
    name = _name(session, page, name)
    mine = (SavedView.user_id == current_user.id, SavedView.page == page)
    if (session.scalar(select(func.count()).select_from(SavedView).where(*mine)) or 0) >= MOST_VIEWS:
        raise NoView(_("You have {n} views of this list already; delete one that you no longer use.", n=MOST_VIEWS))
    view = SavedView(user_id=current_user.id, page=page, name=name, query=_whole_query(page))
    session.add(view)
    session.flush()
    if request.form.get("default"):
        _prefer(session, DEFAULTS, {**_preference(DEFAULTS), page: view.id})
    flash(_("The view “{name}” is kept.", name=name), "good")
    return address_of(view)


def _change(session: Session, page: str, name: str) -> dict[str, str]:
    view = _chosen(session, page)
    view.query = _whole_query(page)
    flash(_("The view “{name}” is kept as it is shown now.", name=view.name), "good")
    return address_of(view)


def _rename(session: Session, page: str, name: str) -> dict[str, str]:
    view = _chosen(session, page)
    view.name = _name(session, page, name, but=view)
    flash(_("The view is called “{name}” now.", name=view.name), "good")
    return address_of(view)


def _delete(session: Session, page: str, name: str) -> dict[str, str]:
    view = _chosen(session, page)
    defaults = dict(_preference(DEFAULTS))
    if defaults.get(page) == view.id:
        defaults.pop(page)
        _prefer(session, DEFAULTS, defaults)
    session.delete(view)
    flash(_("The view “{name}” was deleted.", name=view.name), "good")
    return {"view": NO_VIEW}


def _default(session: Session, page: str, name: str) -> dict[str, str]:
    view = _chosen(session, page)
    _prefer(session, DEFAULTS, {**_preference(DEFAULTS), page: view.id})
    flash(_("This list begins with “{name}” from now on.", name=view.name), "good")
    return address_of(view)


def _no_default(session: Session, page: str, name: str) -> dict[str, str]:
    _prefer(session, DEFAULTS, {key: value for key, value in _preference(DEFAULTS).items() if key != page})
    flash(_("This list begins without a view from now on."), "good")
    return {"view": request.form.get("view", NO_VIEW)[:20]}


DEEDS = {
    "add": _add,
    "change": _change,
    "rename": _rename,
    "delete": _delete,
    "default": _default,
    "no_default": _no_default,
}


def _name(session: Session, page: str, name: str, but: SavedView | None = None) -> str:
    if not name:
        raise NoView(_("A view needs a name."))
    if len(name) > LONGEST_NAME:
        raise NoView(_("The name of a view has at most {n} characters.", n=LONGEST_NAME))
    same = select(SavedView.id).where(
        SavedView.user_id == current_user.id, SavedView.page == page, SavedView.name == name
    )
    if session.scalar(same) not in (None, but.id if but else None):
        raise NoView(_("You have a view “{name}” of this list already.", name=name))
    return name


def _whole_query(page: str) -> str:
    query = _query()
    own = _preference(COLUMNS).get(page)
    if "columns" not in dict(parse_qsl(query)) and isinstance(own, list):
        query = "&".join(part for part in (query, urlencode({"columns": ",".join(own)})) if part)
    if len(query) > LONGEST_QUERY:
        raise NoView(_("The filters of this list are too long to be kept."))
    return query


def _chosen(session: Session, page: str) -> SavedView:
    view = _own(session, page, request.form.get("view", ""))
    if view is None:
        raise NoView(_("That view is no longer there."))
    return view


def _own(session: Session, page: str, id: str) -> SavedView | None:
    if not id.isdecimal() or len(id) > 18:
        return None
    mine = (SavedView.user_id == current_user.id, SavedView.page == page)
    return session.scalars(select(SavedView).where(SavedView.id == int(id), *mine)).first()


def _preference(name: str) -> dict[str, Any]:
    found = (getattr(current_user, "preferences", None) or {}).get(name)
    return found if isinstance(found, dict) else {}


def _prefer(session: Session, name: str, value: dict[str, Any]) -> None:
    user = session.get_one(User, current_user.id)
    user.preferences = {**(user.preferences or {}), name: value}
    current_user.preferences[name] = value
