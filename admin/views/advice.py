"""What a person can do about a record: the setting that is to blame, the place where it is set, and a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from admin.views.frame import Shown
from admin.views.words import _
from connector.settings import Setting, ValueMap
from profiles.settings import resolve


@dataclass(frozen=True, kw_only=True)
class Place:
    """A setting with the address of its field, in the scope where its value comes from."""

    name: str
    label: str
    url: str


def place(shown: Shown, name: str | None, message: str | None, store: str | None = None) -> Place | None:
    """The setting that the record names, else the one that its message speaks of."""
    if shown.declared is None:
        return None
    known = {one.name: one for one in shown.declared.settings}
    found = known.get(name or "") or spoken_of(known, message or "", shown)
    if found is None:
        return None
    scope = _scope(resolve(shown.declared.schemas, shown.profile.settings or {}, None, store).origins.get(found.name))
    address = url_for("options.index", profile_id=shown.profile.id, scope=scope, _anchor=f"setting-{found.name}")
    return Place(name=found.name, label=shown.words(found.label), url=address)


def spoken_of(known: Mapping[str, Setting], message: str, shown: Shown) -> Setting | None:
    """The setting that a sentence means: by its name, by its label, or by the kind of value that is not mapped."""
    for name in re.findall(r"\bsetting '?(\w+)'?", message):
        if name in known:
            return known[name]
    text = message.lower()
    # stored sentences are English, whatever the reader's language is
    labels = [one for one in known.values() if len(one.label) > 6 and shown.words.english(one.label).lower() in text]
    if labels:
        return max(labels, key=lambda one: len(one.label))
    if "mapped" not in text:
        return None
    kinds = [(one, one.field.kind.replace("_", " ")) for one in known.values() if isinstance(one.field, ValueMap)]
    named = [(one, kind) for one, kind in kinds if re.search(rf"\b{re.escape(kind)}\b", text)]
    return max(named, key=lambda pair: len(pair[1]))[0] if named else None


def _scope(origin: str | None) -> str | None:
    word, _space, code = (origin or "").partition(" ")
    return {"website": f"websites.{code}", "store": f"stores.{code}"}.get(word)


def to_do(shown: Shown, record: Any, where: Place | None) -> str:
    """What a person does about a failed record, in a sentence."""
    if where is not None:
        return _("Complete the setting “{label}”, save it, and press Retry now.", label=where.label)
    if record.transient:
        return _("The next run tries it again by itself. Press Retry now if it cannot wait.")
    return _(
        "Mend what the message names, in {source} or in {target}, and press Retry now.",
        source=shown.source.name,
        target=shown.target.name,
    )
