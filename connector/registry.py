"""Finds connectors. Bundled systems and a stranger's package enter by the same door: the entry-point group.

A connector that cannot be loaded becomes a row with its reason, never a crash.
"""

from __future__ import annotations

import functools
import logging
import threading
from dataclasses import dataclass
from importlib.metadata import entry_points

from connector.base import Connector, Resource
from connector.settings import declared

log = logging.getLogger(__name__)

GROUP = "connector.plugins"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One installed connector: its class, or the reason why it cannot be used."""

    code: str
    package: str
    version: str
    connector: type[Connector] | None = None
    reason: str | None = None


def _load(code: str, loaded: object) -> type[Connector]:
    if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
        raise TypeError(f"the entry point names {loaded!r}, which is not a Connector class")
    if getattr(loaded, "code", None) != code:
        raise TypeError(f"its code is {getattr(loaded, 'code', None)!r}, but the entry point calls it {code!r}")
    declared(loaded.Settings)
    for resource in loaded.resources:
        if not issubclass(resource, Resource):
            raise TypeError(f"{resource!r} is not a Resource")
        declared(resource.SourceOptions, resource.TargetOptions)
    return loaded


def plugins() -> dict[str, Plugin]:
    """All installed connectors by code, the broken ones too. Looked up once per process."""
    with _looking:
        return _installed()


def forget() -> None:
    """Look anew at the next question. Two threads that look at once would each have packages of their own."""
    with _looking:
        _installed.cache_clear()


_looking = threading.RLock()


@functools.cache
def _installed() -> dict[str, Plugin]:
    found: dict[str, Plugin] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        package = point.dist.name if point.dist else "unknown package"
        version = point.dist.version if point.dist else ""
        if point.name in found:
            log.warning("connector %s of %s is hidden: %s has one too", point.name, package, found[point.name].package)
            continue
        try:
            made = _load(point.name, point.load())
            found[point.name] = Plugin(code=point.name, package=package, version=version, connector=made)
        except Exception as error:  # a stranger's package may fail in any way; it must not take the host down
            log.warning("connector %s of %s cannot be loaded: %s", point.name, package, error, exc_info=True)
            found[point.name] = Plugin(
                code=point.name, package=package, version=version, reason=f"{type(error).__name__}: {error}"
            )
    return found


def connector(code: str) -> type[Connector]:
    """The connector of that code. Raises LookupError with a sentence for people."""
    plugin = plugins().get(code)
    if plugin is None:
        usable = ", ".join(sorted(plugins())) or "none"
        raise LookupError(f"There is no connector {code!r}. Installed: {usable}.")
    if plugin.connector is None:
        raise LookupError(f"The connector {code!r} ({plugin.package}) cannot be used: {plugin.reason}")
    return plugin.connector
