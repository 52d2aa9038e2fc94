"""How many lines a plugin has, and how many had to come or change outside it: `make count`.

Lines are counted without blank ones; tests, translations and documents are none of them. Outside is what differs from
the commit before the plugin came.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = "refurbed"
BEFORE = "6faf41b"  # the last commit without it
PLACES = ("connector", "profiles", "scheduler", "admin", "setup.cfg")
CODE = (".py", ".html", ".js", ".css", ".yaml", ".svg", ".cfg")


def git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def lines(file: Path) -> int:
    return sum(1 for line in file.read_text(encoding="utf-8").splitlines() if line.strip())


def floor(name: str) -> str:
    """Where a file belongs: the general contract, another connector, the engine, the pages."""
    parts = Path(name).parts
    if parts[0] == "connector":
        return "connector: general contract" if len(parts) == 2 else f"connector/{parts[1]}"
    return parts[0]


def main() -> None:
    for folder in (f"connector/{PLUGIN}", f"sandbox/{PLUGIN}"):
        print(f"{folder}: {sum(lines(one) for one in (ROOT / folder).glob('*.py'))}")
    files = [one for one in git("ls-files", "-co", "--exclude-standard", *PLACES) if one.endswith(CODE)]
    outside = [one for one in files if not one.startswith(f"connector/{PLUGIN}/") and (ROOT / one).exists()]
    for one in outside:
        if naming := sum(PLUGIN in line.lower() for line in (ROOT / one).read_text(encoding="utf-8").splitlines()):
            print(f"outside, lines that name it: {one}: {naming}")
    old = set(git("ls-tree", "-r", "--name-only", BEFORE))
    fresh: Counter[str] = Counter()
    for one in outside:
        if one not in old:
            fresh[floor(one)] += lines(ROOT / one)
    changed: Counter[str] = Counter()
    for row in git("diff", "--numstat", BEFORE, "--", *PLACES):
        added, _, name = row.split("\t")
        if name in old and name in outside and added.isdecimal():
            changed[floor(name)] += int(added)
    for place in sorted({*fresh, *changed}):
        print(f"{place}: {fresh[place]} in new files, {changed[place]} new or changed in old ones")


if __name__ == "__main__":
    main()
