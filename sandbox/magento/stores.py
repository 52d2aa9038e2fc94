"""Websites, groups and views of the shop, and what they sell in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class View:
    """A store view: a language of a store."""

    id: int
    code: str
    name: str
    website_id: int
    group_id: int
    locale: str = "en_US"
    base_currency: str = "EUR"
    currency: str = "EUR"
    timezone: str = "Europe/Berlin"
    active: bool = True


@dataclass(frozen=True, kw_only=True)
class Group:
    id: int
    code: str
    name: str
    website_id: int
    default_view: int


@dataclass(frozen=True, kw_only=True)
class Website:
    id: int
    code: str
    name: str
    default_group: int


ADMIN = View(id=0, code="admin", name="Admin", website_id=0, group_id=0)
WEBSITES = (
    Website(id=0, code="admin", name="Admin", default_group=0),
    Website(id=1, code="base", name="Main Website", default_group=1),
    Website(id=2, code="europe", name="Europe", default_group=2),
)
GROUPS = (
    Group(id=0, code="default", name="Default", website_id=0, default_view=0),
    Group(id=1, code="main_website_store", name="Main Website Store", website_id=1, default_view=1),
    Group(id=2, code="europe_store", name="Europe Store", website_id=2, default_view=2),
)
VIEWS = (
    View(id=1, code="default", name="Default Store View", website_id=1, group_id=1),
    View(id=2, code="de", name="Deutsch", website_id=2, group_id=2, locale="de_DE"),
    View(
        id=3,
        code="pl",
        name="Polski",
        website_id=2,
        group_id=2,
        locale="pl_PL",
        currency="PLN",
        timezone="Europe/Warsaw",
    ),
)


class Stores:
    """The shop's views, with one more for every unknown store that an order names."""

    def __init__(self, orders: Iterable[dict[str, Any]] = ()) -> None:
        self.views: dict[int, View] = {view.id: view for view in (ADMIN, *VIEWS)}
        for order in orders:
            self.learn(order)

    def learn(self, order: dict[str, Any]) -> None:
        """Make sure that the store of this order exists; an order of a deleted view names none."""
        store = order.get("store_id")
        if not isinstance(store, int) or store in self.views:
            return
        base = str(order.get("base_currency_code") or "EUR")
        currency = str(order.get("order_currency_code") or base)
        name = str(order.get("store_name") or "").split("\n")[-1].strip() or f"Store {store}"
        self.views[store] = View(
            id=store,
            code=f"store_{store}",
            name=name,
            website_id=1,
            group_id=1,
            base_currency=base,
            currency=currency,
        )

    def knows(self, code: str) -> bool:
        """Whether a path may begin with this code; `all` is the admin's view of everything."""
        return code == "all" or any(view.code == code for view in self.views.values() if view.id)

    def websites(self) -> list[dict[str, Any]]:
        return [
            {"id": one.id, "code": one.code, "name": one.name, "default_group_id": one.default_group}
            for one in WEBSITES
        ]

    def groups(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "website_id": one.website_id,
                "root_category_id": 2 if one.id else 0,
                "default_store_id": one.default_view,
                "name": one.name,
                "code": one.code,
            }
            for one in GROUPS
        ]

    def store_views(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "code": one.code,
                "name": one.name,
                "website_id": one.website_id,
                "store_group_id": one.group_id,
                "is_active": int(one.active),
            }
            for one in self.views.values()
        ]

    def configs(self, base_url: str, codes: list[str]) -> list[dict[str, Any]]:
        """One per view, without the admin's own; only the named ones when any is named."""
        chosen = [one for one in self.views.values() if one.id and (not codes or one.code in codes)]
        return [self._config(one, base_url) for one in chosen]

    def _config(self, view: View, base_url: str) -> dict[str, Any]:
        urls = {
            f"{prefix}base_{kind}url": f"{base_url}/{path}"
            for prefix in ("", "secure_")
            for kind, path in (("", ""), ("link_", ""), ("static_", "static/version1/"), ("media_", "media/"))
        }
        return {
            "id": view.id,
            "code": view.code,
            "website_id": view.website_id,
            "locale": view.locale,
            "base_currency_code": view.base_currency,
            "default_display_currency_code": view.currency,
            "timezone": view.timezone,
            "weight_unit": "kgs",
            **urls,
        }
