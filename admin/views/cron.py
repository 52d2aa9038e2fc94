"""What a cron line means, in words and as the next runs."""

from __future__ import annotations

from typing import Any

from admin.views.words import _
from profiles.db import now
from scheduler import cron

PREVIEWED = 10


def preview(line: str, timezone: str) -> dict[str, Any]:
    """The line in words and its next runs in the zone; or the sentence that says which part is wrong."""
    try:
        cron.check(line, timezone)
        runs = cron.upcoming(line, timezone, now(), PREVIEWED)
    except cron.CronProblem as error:
        return {"problem": str(error)}
    return {
        "words": cron.explain(line),
        "runs": [
            {
                "local": f"{run.local:%a %Y-%m-%d %H:%M}",
                "utc": f"{run.at:%Y-%m-%d %H:%M} UTC",
                "note": run.note or (_("The clocks change on this day.") if run.clock_change else ""),
            }
            for run in runs
        ],
    }


def words(line: str) -> str:
    """A stored line in words; the line itself when it cannot be read (stored by another version)."""
    try:
        return cron.explain(line)
    except cron.CronProblem:
        return line
