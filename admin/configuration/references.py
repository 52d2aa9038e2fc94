"""References: the names of environment variables that stand in the place of secrets."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from connector import registry
from connector.settings import Setting, declared
from profiles.secrets import REFERENCE


def account_settings(code: str) -> list[Setting]:
    try:
        return declared(registry.connector(code).Settings)
    except LookupError:
        return []  # then everything counts as secret


def references(name: str, code: str) -> dict[str, str]:
    """The variables that export would name for the secrets of a connection, and of which key."""
    return {variable(name, one.name): one.name for one in account_settings(code) if one.secret}


def variable(connection_name: str, key: str) -> str:
    """`shop`, `access_token` → SHOP_ACCESS_TOKEN."""
    plain = unicodedata.normalize("NFKD", f"{connection_name}_{key}").encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").upper()
    return f"_{made}" if made[:1].isdigit() else made


def by_scope(settings: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values of each scope of a profile with a name for the scope, which is empty for the global one."""
    yield "", settings.get("global") or {}
    for part in ("websites", "stores"):
        for code, values in (settings.get(part) or {}).items():
            yield f"{part[:-1]}_{code}", values


def stands_for(value: Any, name: str, stored: Any) -> bool:
    """Whether the value is the reference that export wrote in the place of a stored secret, and nobody has set it."""
    return value == f"env:{name}" and name not in os.environ and stored is not None and not is_reference(stored)


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.match(value) is not None
