"""The tab *Order synchronisation history*: each action on a record, newest first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from admin import derive
from admin.views.base import expose
from admin.views.criteria import history_plan, wanted
from admin.views.export import csv_of
from admin.views.frame import ProfilePage, Shown
from admin.views.listing import Column, fetch, walk
from admin.views.saved import Saved, Trouble
from profiles.models import SyncHistory, SyncStatus

FIELDS = (
    SyncHistory.id,
    SyncHistory.record_id,
    SyncHistory.source_id,
    SyncHistory.source_number,
    SyncHistory.target_id,
    SyncHistory.status,
    SyncHistory.direction,
    SyncHistory.message,
    SyncHistory.created_at,
)


class RecordHistory(Saved, ProfilePage):
    def page(self, *, profile_id: int) -> str:
        return f"history:{profile_id}"

    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        return self.begin(self.page(profile_id=profile_id)) or self._answer(profile_id=profile_id)

    @expose("/rows.json")
    def rows(self, profile_id: int) -> ResponseReturnValue:
        """The newest page as it is now, for the page that shows it; `mark` changes with it."""
        html = self._draw("profile/record_history_table.html", Trouble(), profile_id)
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    @expose("/export.csv")
    def export(self, profile_id: int) -> ResponseReturnValue:
        """All lines that the filters fit, with the columns that are shown."""
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            asked = wanted(request.args, shown.profile.timezone)
            way = history_plan(session, FIELDS, profile_id, asked)
            kept = self.kept(session, self.page(profile_id=profile_id), columns_of(shown), (), Trouble())
        pieces = walk(self.database, way.whole, way.keys, ascending=way.ascending)
        rows = ([row_of(row) for row in piece] for piece in pieces)
        return csv_of(f"{shown.profile.name}-history", kept.columns, rows, shown.profile.timezone)

    def _answer(self, trouble: Trouble = Trouble(), *, profile_id: int) -> ResponseReturnValue:
        return self._draw("profile/record_history.html", trouble, profile_id)

    def _draw(self, template: str, trouble: Trouble, profile_id: int) -> str:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            asked = wanted(request.args, shown.profile.timezone)
            way = history_plan(session, FIELDS, profile_id, asked)
            listing = fetch(session, way.query, way.keys, ascending=way.ascending, residual=way.residual)
            kept = self.kept(session, self.page(profile_id=profile_id), columns_of(shown), (), trouble)
            return self.render(
                template,
                shown=shown,
                listing=listing,
                columns=kept.columns,
                rows=[row_of(row) for row in listing.rows],
                statuses=list(SyncStatus),
                asked=asked,
                way=way,
                kept=kept,
                live=not (request.args.get("before") or request.args.get("after")),
            )


def columns_of(shown: Shown) -> list[Column]:
    return derive.history_columns(shown.number_label, shown.key_label)


def row_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "number": row["source_number"] or row["source_id"]}
