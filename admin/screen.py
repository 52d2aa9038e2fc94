"""What the command line shows: rich on a terminal, plain lines elsewhere. Results go to stdout, words to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from profiles.sync import Progress

GOOD, BAD = "✓", "✗"


def say(text: str) -> None:
    """A sentence for the person at the keyboard."""
    click.echo(text, err=True)


def show(text: str) -> None:
    """A line of the result."""
    click.echo(text)


def show_json(value: Any) -> None:
    """One line of JSON; an instant is ISO text."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_json_value))


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """A table on a terminal; elsewhere lines with tabs, for `cut` and `awk`. Returns the number of rows."""
    count = 0
    if not sys.stdout.isatty():
        show("\t".join(columns))
        for row in rows:
            count += 1
            show("\t".join(" ".join(_cell(one).split()) for one in row))
        return count
    from rich.console import Console  # only on a terminal: without it a run by a service starts faster
    from rich.markup import escape
    from rich.table import Table

    made = Table(*columns, header_style="bold")
    for row in rows:
        count += 1
        made.add_row(*(escape(_cell(one)) for one in row))
    Console().print(made)
    return count


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def mark(ok: bool, text: str, *, err: bool = False) -> None:
    """`✓ text` or `✗ text`."""
    click.echo(f"{click.style(GOOD, fg='green') if ok else click.style(BAD, fg='red')} {text}", err=err)


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr while a run goes on; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda told: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("Starting", total=None)
        yield lambda told: bar.update(
            shown, description=f"{told.text}{_failures(told)}", completed=told.done, total=told.total
        )


def _failures(told: Progress) -> str:
    failed = told.counts.get("failed", 0)
    return f" ({failed} failed)" if failed else ""


class Refused(click.ClickException):
    """The command cannot do what it was asked; the message is a sentence for the person who asked."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        say(self.message)
