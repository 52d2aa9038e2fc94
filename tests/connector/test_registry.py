"""A stranger's package enters by the same door as the bundled systems."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
STRANGER = ROOT / "tests" / "stranger"

LOOK = """
from connector.registry import connector, plugins
from connector.settings import declared
for code, plugin in sorted(plugins().items()):
    print(code, plugin.package, plugin.version, plugin.reason)
print([one.name for one in declared(connector("parcel_desk").resources[0].TargetOptions)])
try:
    connector("parcel_broken")
except LookupError as error:
    print(error)
"""


def test_a_package_installed_beside_the_host_appears_and_a_broken_one_is_a_row_with_its_reason(tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (inside / "host.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    copy = tmp_path / "package"
    subprocess.run(["cp", "-r", str(STRANGER), str(copy)], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*install, str(inside), str(copy)], check=True, capture_output=True)
    shown = subprocess.run(
        [str(home / "bin" / "python"), "-c", LOOK], check=True, capture_output=True, text=True, cwd=tmp_path
    ).stdout.splitlines()
    assert "parcel_desk parcel-desk 1.2.0 None" in shown
    assert any(line.startswith("magento connector-host") and line.endswith("None") for line in shown)
    assert any(line.startswith("parcel_broken parcel-desk") and "a_package_that_nobody_has" in line for line in shown)
    assert "['status_mapping', 'shelf']" in shown
    assert "cannot be used" in shown[-1]


def test_the_guide_shows_the_package_that_the_test_installs() -> None:
    code = (STRANGER / "src" / "parcel_desk" / "__init__.py").read_text()
    assert code in (ROOT / "connector" / "README.md").read_text()


def test_the_guide_names_every_error_and_every_verb() -> None:
    from connector import errors
    from connector.base import Resource

    text = (ROOT / "connector" / "README.md").read_text()
    named = [name for name, one in vars(errors).items() if isinstance(one, type) and name != "ConnectorError"]
    verbs = [
        name for name, one in vars(Resource).items() if callable(one) and not name.startswith("_") and name != "offers"
    ]
    assert [name for name in [*named, *verbs] if f"`{name}" not in text] == []
