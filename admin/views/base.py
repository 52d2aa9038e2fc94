"""What all pages share: a Flask-Admin view with our database, our frame, and access by the one decision of auth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import flask_admin
from flask import current_app, request
from flask_login import current_user

from admin import auth
from profiles.db import Database

NO_STATIC = "/none"  # Flask-Admin would serve its own static files beside the first page; we use none of them


RouteT = TypeVar("RouteT", bound=Callable[..., Any])


def expose(url: str, methods: Sequence[str] = ("GET",)) -> Callable[[RouteT], RouteT]:
    """A method of a view as a route below the view's address."""
    made: Callable[[RouteT], RouteT] = flask_admin.expose(url, methods)
    return made


class View(flask_admin.BaseView):  # type: ignore[misc]
    """One place of the menu, or (with `under`) a page that belongs to another one's place."""

    def __init__(
        self, database: Database, *, name: str, endpoint: str, url: str, icon: str = "", under: str | None = None
    ) -> None:
        super().__init__(name=name, endpoint=endpoint, url=url, static_url_path=NO_STATIC, menu_icon_value=icon)
        self.database = database
        self.place = under or endpoint

    def is_visible(self) -> bool:
        return bool(self.place == self.endpoint)

    def is_accessible(self) -> bool:
        """For the menu: may this person read the view's first page? Requests pass `auth.guard` before they get here."""
        return auth.may(current_user, f"{self.endpoint}.{self._default_view}", "GET")

    def render(self, template: str, **values: Any) -> str:
        return str(super().render(template, **values))

    def _handle_view(self, name: str, **kwargs: Any) -> Any:
        if not auth.may(current_user, request.endpoint, request.method):
            return self.inaccessible_callback(name, **kwargs)
        return None

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Flask-Admin calls a view again when it raises TypeError, which hides the fault and repeats its effects.
        return fn(self, *args, **kwargs)


def by() -> str:
    """Who does it, for histories."""
    return str(current_user.name)


def menu() -> list[dict[str, Any]]:
    """The places of the left navigation that this person may enter."""
    if not current_user.is_authenticated:
        return []
    (admin,) = current_app.extensions["admin"]
    views = {view.endpoint: view for view in admin._views}
    here = views.get(request.blueprint or "")
    return [
        {
            "name": item.name,
            "url": item.get_url(),
            "icon": item._view.menu_icon_value,
            "here": is_here(item._view, here),
        }
        for item in admin.menu()
        if item.is_visible() and item.is_accessible()
    ]


def is_here(view: View, here: View | None) -> bool:
    return here is not None and here.place == view.endpoint


def ids(name: str = "id") -> list[int]:
    """The rows that were chosen in a form."""
    return [int(one) for one in request.form.getlist(name) if one.isdecimal() and len(one) < 19]
