"""The house keeps its shape: imports run downwards only, and no floor above knows a system."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.registry import plugins

ROOT = Path(__file__).parents[1]
FLOORS = ["connector", "profiles", "scheduler", "admin"]  # from the ground up
HOMES = {
    "requests": {"connector"},
    "requests_oauthlib": {"connector"},
    "urllib3": {"connector"},
    "sqlalchemy": {"profiles", "scheduler", "admin"},
    "alembic": {"profiles"},
    "cryptography": {"profiles"},
    "apscheduler": {"scheduler"},
    "cronsim": {"scheduler"},
    "flask": {"admin"},
    "flask_admin": {"admin"},
    "click": {"admin"},
    "rich": {"admin"},
    "waitress": {"admin"},
    "argon2": {"admin"},
    "marshmallow": {"connector", "profiles", "admin"},
}


def modules(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.relative_to(ROOT)}: imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_run_downwards_only(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :]) | {"sandbox", "tests"}
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(floor)
        for name in imports(file)
        if name.split(".")[0] in above
    ]
    assert wrong == []


@pytest.mark.parametrize("floor", FLOORS)
def test_each_library_has_one_home_floor(floor: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules(floor)
        for name in imports(file)
        if floor not in HOMES.get(name.split(".")[0], {floor})
    ]
    assert wrong == []


def test_the_stand_ins_import_nothing_of_the_product() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in modules("sandbox")
        for name in imports(file)
        if name.split(".")[0] in FLOORS
    ]
    assert wrong == []


def test_the_face_of_the_connector_floor_imports_no_system() -> None:
    systems = {path.name for path in (ROOT / "connector").iterdir() if (path / "__init__.py").exists()}
    for file in (ROOT / "connector").glob("*.py"):
        assert not [name for name in imports(file) if name.split(".")[1:2] and name.split(".")[1] in systems], file


def test_a_connector_folder_imports_the_face_and_itself() -> None:
    face = {
        "connector",
        "connector.records",
        "connector.settings",
        "connector.client",
        "connector.errors",
        "connector.fields",
        "connector.base",
        "connector.procedures",
    }
    for folder in (path for path in (ROOT / "connector").iterdir() if (path / "__init__.py").exists()):
        for file in modules(f"connector/{folder.name}"):
            ours = [name for name in imports(file) if name.split(".")[0] == "connector"]
            wrong = [name for name in ours if name not in face and not name.startswith(f"connector.{folder.name}")]
            assert wrong == [], file


@pytest.mark.parametrize("floor", ["profiles", "scheduler", "admin"])
def test_no_floor_above_names_a_system(floor: str) -> None:
    names = re.compile(r"\b(" + "|".join([*plugins(), "refurbed", "pixi", "fulfillmenttools"]) + r")\b", re.IGNORECASE)
    wrong = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in [*modules(floor), *(ROOT / floor).rglob("*.html")]
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if names.search(line)
    ]
    assert wrong == []


def test_every_bundled_connector_can_be_loaded() -> None:
    assert {code: plugin.reason for code, plugin in plugins().items() if plugin.package == "connector-host"} == {
        "magento": None,
        "plentyone": None,
        "refurbed": None,
    }
