"""The host at work: the pages, the scheduler with its workers, or both in one process, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from admin.screen import Refused, say
from profiles.db import Database

log = logging.getLogger(__name__)

THREADS = 8


def open_in_browser(address: str) -> None:
    say(f"Open {address} in a browser. Ctrl-C ends it.")


def serve_pages(
    database: Database, host: str, port: int, *, clock: bool = True, told: Callable[[str], None] = open_in_browser
) -> None:
    """Serve the pages until a signal comes; with `clock` profiles run as well. `told` is given the address."""
    import waitress  # only here, as the clock below: every command would wait for them

    from admin import create_app

    application = create_app(database)
    try:
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=strip_proxy_headers(),
        )
    except (OSError, ValueError, OverflowError) as error:
        raise Refused(
            f"{host}:{port} cannot be used: {getattr(error, 'strerror', None) or error}. Choose another --port."
        ) from error
    shown = address(host, getattr(server, "effective_port", port))  # port 0 takes a free one
    with stopping_by_signal(), ticking(database, shown) if clock else nullcontext():
        with suppress(KeyboardInterrupt):
            told(shown)
            log.info("serving at %s:%s, %s scheduler", host, port, "with" if clock else "without")
            server.run()
        server.close()
        say("Stopping: runs end after their current record.")


def strip_proxy_headers() -> bool:
    """What a proxy says reaches the application only where it is believed; waitress drops it otherwise."""
    from admin.app import trusted_proxies

    return not trusted_proxies()


def schedule(database: Database) -> None:
    """Run due profiles until a signal comes."""
    done = threading.Event()
    with stopping_by_signal(), ticking(database):
        with suppress(KeyboardInterrupt):
            say("The scheduler is running. Ctrl-C ends it.")
            while not done.wait(3600):
                pass
        say("Stopping: runs end after their current record.")


@contextmanager
def ticking(database: Database, served: str | None = None) -> Iterator[None]:
    """The clock, started and stopped; its heartbeat says where this process serves pages."""
    from scheduler.clock import Clock

    clock = Clock(database, address=served)
    clock.start()
    try:
        yield
    finally:
        clock.stop()


@contextmanager
def stopping_by_signal() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that nothing is left behind."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopping_after_record(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C asks to stop after the current record, the second stops at once."""

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("Stopping after the current record. Ctrl-C again stops at once; the next run then finds out what happened.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def address(host: str, port: int) -> str:
    """The address as a person on this machine types it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def free(host: str, port: int) -> bool:
    """Whether the port can be taken now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def next_free(host: str, port: int) -> int:
    """The first port from `port` on that can be taken."""
    for one in range(port, min(port + 100, 65536)):
        if free(host, one):
            return one
    raise Refused(f"No port from {port} to {port + 99} is free. Choose another --port.")
