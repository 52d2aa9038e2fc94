"""The data log: every remote call, and one call with its bodies."""

from __future__ import annotations

from flask import abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select

from admin.views.base import View, expose
from admin.views.listing import fetch, newest_only
from profiles.models import Connection, DataLog, SyncRecord

RESULTS = ("ok", "failed")


class Log(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        call = DataLog
        connection, result = request.args.get("connection", ""), request.args.get("result", "")
        reference = request.args.get("reference", "").strip()[:128]
        query = select(
            call.id,
            call.connection_id,
            call.identifier,
            call.path,
            call.method,
            call.status,
            call.seconds,
            call.reference,
            call.error,
            call.created_at,
        )
        if connection.isdecimal() and len(connection) < 19:
            query = query.where(call.connection_id == int(connection))
        if reference:
            query = query.where(call.reference == reference)
        with self.database.reading() as session:
            if result in RESULTS:
                bad = or_(call.status.is_(None), call.status >= 400)
                query = newest_only(session, query, call.id.expression).where(bad if result == "failed" else ~bad)
            return self.render(
                "log.html",
                listing=fetch(session, query, (call.id.expression,)),
                connections=session.execute(select(Connection.id, Connection.name).order_by(Connection.name)).all(),
                results=RESULTS,
                filters={"connection": connection, "reference": reference, "result": result},
            )

    @expose("/<int:call_id>/")
    def call(self, call_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            call = session.get(DataLog, call_id)
            if call is None:
                abort(404)
            named = SyncRecord.source_number == call.reference
            record = session.scalar(select(SyncRecord.id).where(named).limit(1)) if call.reference else None
            return self.render(
                "call.html",
                call=call,
                connection=session.get(Connection, call.connection_id),
                record_id=record,
            )
