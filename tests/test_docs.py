"""The documents keep their word: the tests that they name exist, and no sentence of a guide goes without an answer."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs/refurbed.md"
NO_TEST = "cannot apply: "  # and why
# as the guide numbers them: it has no section 5.2
SECTIONS = (
    *("1", "2", "3", "4", "4.1", "5", "5.1", "5.3", "5.4", "5.5", "5.6", "5.7"),
    *("6", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "7"),
)


def rows() -> list[list[str]]:
    """The rows of the table of proofs, each as its four cells."""
    table = GUIDE.read_text().partition("| § | The guide | The host | Proof |\n")[2].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table if line.startswith("|")]


@cache
def declared(file: str) -> frozenset[str]:
    path = ROOT / "tests" / file
    if not path.exists():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text()))
    return frozenset(one.name for one in found if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0].split(',')[0]} {row[1][:40]}")
def test_each_sentence_of_the_guide_is_proven_by_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 4, row
    assert all(row), row
    proof = row[3]
    if proof.startswith(NO_TEST):
        assert len(proof) > len(NO_TEST) + 10, row
        return
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", proof)
    assert named, row
    assert re.sub(r"`[\w/]+\.py::\w+`|<br>", "", proof) == "", f"odd: {proof}"
    assert [f"{file}::{name}" for file, name in named if name not in declared(file)] == []


def test_every_section_of_the_guide_is_answered_and_in_its_order() -> None:
    told = [row[0].split(", ") for row in rows()]
    assert {one for each in told for one in each} == set(SECTIONS)
    firsts = [SECTIONS.index(each[0]) for each in told]
    assert firsts == sorted(firsts)
