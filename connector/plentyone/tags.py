"""Tags of an order by its status in the shop. They are added, never taken away."""

from __future__ import annotations

from connector import Payload
from connector.plentyone.following import keep, kept
from connector.plentyone.shapes import key_of
from connector.plentyone.work import Work, number
from connector.settings import ident, mapped

RELATIONS = "/rest/tags/relationships"
TAGGED = "tags"  # ref: ids of the tags that it was given


def bring(work: Work, order_id: str, order: Payload) -> list[str]:
    row = mapped(work.options, "tag_mapping", work.order.status) or {}
    wanted = [ident(row[name]) for name in ("tag", "second_tag") if row.get(name) not in (None, "")]
    missing = [tag for tag in dict.fromkeys(wanted) if tag not in kept(work, TAGGED)]
    there: set[str | None] = set()
    if missing and work.doubt and (work.client.dry is None or order_id.isdigit()):
        query = {"tagType": "order", "relationshipValue": order_id}
        listed = work.client.entries(RELATIONS, query, paged=False, reference=work.order.number)
        there = {key_of(one, "tagId") for one in listed}
    for tag in missing:
        if tag not in there:
            body = {"tagId": number(tag), "tagType": "order", "relationshipValue": number(order_id)}
            work.send("POST", RELATIONS, body)
        keep(work, TAGGED, tag)
    names = {one.id: one.name for one in work.host.catalogue("tag")}
    said = f"tagged {', '.join(names.get(tag, tag) for tag in missing)}"
    return [said] if missing else []
