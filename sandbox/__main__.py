"""Run the stand-ins: `python -m sandbox --port 9101` puts Magento on 9101 and PlentyONE on 9102.

refurbed comes on 9103 with `--with refurbed`, or alone with `--only refurbed`.
`/_sandbox/` of each is a page on which a person plays the other side; `python -m sandbox.warehouse` does it by script.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.faults import BadFault, Faults, load_rules
from sandbox.server import Server, StandIn

SYSTEMS = ("magento", "plentyone", "refurbed")


class CannotStart(Exception):
    """The stand-ins cannot be started; the message is for the person who called."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CannotStart(f"{message[:1].upper()}{message[1:].rstrip('.')}.")


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line. CannotStart when it cannot be used."""
    parser = _Parser(
        prog="python -m sandbox", description="Stand-ins of Magento, PlentyONE and refurbed as HTTP servers."
    )
    add = parser.add_argument
    add("--port", type=int, default=9101, help="port of Magento; the others take the next; 0 takes free ones")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--only", choices=SYSTEMS, help="start this one alone; it takes the port itself")
    add("--with", choices=("refurbed",), dest="also", help="start this one, too, after PlentyONE")
    add("--orders", type=int, default=0, metavar="N", help="number of made-up orders in Magento")
    add("--orders-from", type=Path, metavar="DIR", help="folder of orders as JSON for Magento")
    add("--latency-ms", type=int, default=0, metavar="N", help="wait before every answer")
    add("--faults", type=Path, metavar="FILE", help="fault rules as YAML or JSON")
    add("--record", type=Path, metavar="FILE", help="append every request as a line of JSON")
    add("--seed", type=int, default=0, metavar="S", help="seed of the made-up orders")
    add("--write-limit", type=int, metavar="N", help="PlentyONE: writes per window (default: none)")
    add("--read-limit", type=int, metavar="N", help="PlentyONE: reads per window (default: none)")
    add("--window-seconds", type=float, default=60.0, metavar="S", help="PlentyONE: length of the short window")
    add("--index-lag", type=float, default=0.0, metavar="S", help="PlentyONE: seconds until lists show a record")
    add("--max-sessions", type=int, default=40, metavar="N", help="PlentyONE: concurrent sessions")
    add("--refurbed-orders", type=int, default=0, metavar="N", help="refurbed: number of made-up orders")
    add("--refurbed-rate", type=int, default=10, metavar="N", help="refurbed: requests per second; 0 sets no limit")
    add("--refurbed-token", default=os.environ.get("REFURBED_TOKEN"), metavar="TOKEN", help="refurbed: the token")
    add("--with-parent", action="store_true", help="end when stdin ends: the caller holds its other end")
    add("--plenty-password", default=os.environ.get("PLENTY_PASSWORD", "sandbox"), help="password of user connector")
    options = parser.parse_args(argv)
    if options.orders_from and not options.orders_from.is_dir():
        raise CannotStart(f"The folder {options.orders_from} of --orders-from does not exist.")
    if options.record and not options.record.absolute().parent.is_dir():
        raise CannotStart(f"The folder of the --record file {options.record} does not exist.")
    if options.refurbed_rate < 0:
        raise CannotStart(f"--refurbed-rate {options.refurbed_rate} is not a number of requests from 0.")
    if options.only and options.also:
        raise CannotStart(f"--only {options.only} starts nothing else; leave --with {options.also} out.")
    others = 0 if options.only else 2 if options.also else 1
    if not 0 <= options.port <= 65535 - others:
        raise CannotStart(f"--port {options.port} is not a port.")
    return options


def build_magento(options: argparse.Namespace) -> tuple[StandIn, list[tuple[str, str]]]:
    """The Magento stand-in and the articles it sells, as (SKU, name)."""
    try:
        magento = importlib.import_module("sandbox.magento")
    except ModuleNotFoundError as error:
        if error.name != "sandbox.magento":
            raise
        raise CannotStart("The Magento stand-in is not installed; use --only plentyone.") from error
    try:
        stand_in = magento.build(orders_from=options.orders_from, count=options.orders, seed=options.seed)
    except (OSError, ValueError) as error:
        raise CannotStart(f"Magento cannot be filled: {error}") from error
    return stand_in, [(sku, name) for sku, name in stand_in.skus() if not sku.startswith("UNKNOWN-")]


def build_plentyone(options: argparse.Namespace, skus: list[tuple[str, str]]) -> StandIn:
    """The PlentyONE stand-in, which knows these articles as variations."""
    plentyone = importlib.import_module("sandbox.plentyone")
    stand_in: StandIn = plentyone.build(
        skus=skus,
        write_limit=options.write_limit,
        read_limit=options.read_limit,
        index_lag=options.index_lag,
        window_seconds=options.window_seconds,
        max_sessions=options.max_sessions,
        password=options.plenty_password,
    )
    return stand_in


def build_refurbed(options: argparse.Namespace) -> tuple[StandIn, list[tuple[str, str]]]:
    """The refurbed stand-in and the articles that are ordered there, as (SKU, name)."""
    refurbed = importlib.import_module("sandbox.refurbed")
    stand_in = refurbed.build(
        count=options.refurbed_orders,
        seed=options.seed,
        token=options.refurbed_token or refurbed.TOKEN,
        rate_limit=options.refurbed_rate or None,
    )
    return stand_in, stand_in.skus()


def build_stand_ins(options: argparse.Namespace) -> list[StandIn]:
    """Those that were asked for, Magento first."""
    if options.only == "plentyone":
        return [build_plentyone(options, [])]
    if options.only == "refurbed":
        return [build_refurbed(options)[0]]
    magento, skus = build_magento(options)
    if options.only == "magento":
        return [magento]
    if not options.also:
        return [magento, build_plentyone(options, skus)]
    refurbed, more = build_refurbed(options)
    return [magento, build_plentyone(options, [*skus, *more]), refurbed]


def open_servers(options: argparse.Namespace) -> list[Server]:
    """A listening server per stand-in, not yet answering."""
    rules = load_rules(options.faults) if options.faults else []
    servers: list[Server] = []
    for offset, stand_in in enumerate(build_stand_ins(options)):
        port = options.port + offset if options.port else 0
        try:
            server = Server(
                stand_in,
                port,
                host=options.host,
                faults=Faults(rules),
                latency_ms=options.latency_ms,
                record=options.record,
            )
        except OSError as error:
            for opened in servers:
                opened.stop()
            raise CannotStart(f"Port {port} cannot be used for {stand_in.name}: {error.strerror}.") from error
        servers.append(server)
    return servers


def end_with_parent(done: threading.Event) -> None:
    """Set `done` when stdin ends. However the caller dies, by SIGKILL too, the system closes its end of the pipe."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        done.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, or until the parent is gone. 2 when it cannot start."""
    done = threading.Event()
    try:
        options = read_arguments(argv)
        if options.with_parent:
            end_with_parent(done)
        servers = open_servers(options)
    except (CannotStart, BadFault) as error:
        print(error, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    for server in servers:
        server.start()
        print(f"{server.stand_in.name} {server.base_url}")
    print("ready", flush=True)
    done.wait()
    for server in servers:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
