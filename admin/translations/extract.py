"""Brings the catalogues up to date with the texts: `make words` (python -m admin.translations.extract).

Three kinds of texts are found: those that pass through `_`, `later` and `n_` on pages; what is declared (labels and helps
of settings, names of lists and ids); and sentences that are stored and translated when shown (what errors, notes and
findings say), whose changing parts become {a}, {b} … in the order of their appearance. What a connector says stands in
a catalogue in its own folder. New texts are added without a translation, what nobody says any more is removed.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from admin.derive import Words
from admin.views.words import LANGUAGES
from connector import registry, settings
from connector.procedures import EVENTS, ORDER_TYPE, ORDER_TYPES
from connector.settings import Section, Settings, declared
from profiles.settings import EngineOptions, SettlingOptions

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "admin"
WORDS = {"_": None, "later": None, "n_": (1, 2)}
# calls whose first text is a sentence that may be stored, and keywords that hold one
SAYING = {
    "RecordFailed", "SkipRecord", "StopRun", "RetryLater", "InDoubt", "Unreachable", "AccessDenied", "MissingSecret",
    "DatabaseTrouble", "CronProblem", "Missing", "note", "end", "_because", "append", "setdefault", "_fault", "Refused",
    "once", "Fault", "fault", "ValueError", "LookupError",
    "NewConnectionError", "_lost", "_unsure",
}  # fmt: skip
HINT = re.compile(r"(?<=\.)\{\w\}(?: |$)")  # a place for one more sentence, or for none
TITLE = re.compile(r"[A-Z]+[a-z]*(?: .+)?")
SENTENCE = re.compile(r"[A-Za-z]\w*(?: [^\\|*]+){4,}\.")
DIRECTIONS = ("export", "import")
ENTITIES = ("order", "return", "event")
KEYWORDS = {"message", "said", "error", "reason", "hint"}
NAMES = {"said", "message", "text", "told", "what", "items", "paid", "remark", "hint"}


def main() -> int:
    missing = 0
    for language in LANGUAGES:
        if language == "en":
            continue
        for folder, texts in catalogues():
            missing += _write(folder, language, texts)
    print(f"{missing} texts have no translation yet.")
    return 1 if missing else 0


def catalogues() -> Iterator[tuple[Path, list[str]]]:
    """(folder of translations, its texts): ours, then each bundled connector's."""
    ours = [
        *_of_pages(),
        *_of_schema(EngineOptions),
        *_of_schema(SettlingOptions),
        *(one.label for one in vars(settings).values() if isinstance(one, Section)),
        *(one.label for one in EVENTS),
        *(ORDER_TYPE.label, *(label for _, label in ORDER_TYPES)),
    ]
    for folder in (ROOT / "profiles", ROOT / "scheduler", ROOT / "connector", PAGES / "configuration"):
        for file in sorted(folder.glob("*.py")):
            ours += sentences(file)
    yield PAGES / "translations", _once(ours)
    mine = set(ours)
    for plugin in registry.plugins().values():
        if plugin.connector is None:
            continue
        file = Path(sys.modules[plugin.connector.__module__].__file__ or "")
        if ROOT / "connector" not in file.parents:  # a stranger brings his own
            continue
        texts = [*_declared(plugin.connector)]
        for source in sorted(file.parent.rglob("*.py")):
            texts += sentences(source)
        yield file.parent / "translations", [text for text in _once(texts) if text not in mine]


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if any(sign.isalpha() for sign in text)))


def _of_pages() -> Iterator[str]:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"trimmed": "false", "silent": "false"}}
    for folder in (PAGES, ROOT / "scheduler"):
        for name, _line, message, _comments, _context in extract_from_dir(folder, methods, options, keywords=WORDS):
            if not name.startswith("translations"):
                yield from message if isinstance(message, tuple) else (message,)


def _of_schema(*schemas: type[Settings]) -> Iterator[str]:
    for one in declared(*schemas):
        for text in (one.label, one.help, one.section.label):
            yield text
            if "{" in text:
                for entity in ENTITIES if "{entity}" in text else ENTITIES[:1]:
                    yield from (Words(direction=direction, entity=entity)(text) for direction in DIRECTIONS)
        yield from _of_field(one.field)


def _of_field(field: Any) -> Iterator[str]:
    for check in getattr(field, "validators", ()):
        yield from (str(label) for label in getattr(check, "labels", ()) if label)
    for inner in (getattr(field, "right", None), getattr(field, "inner", None)):
        if inner is not None:
            yield from _of_field(inner)
    if hasattr(field, "nested"):
        for cell in field.schema.fields.values():
            yield str(cell.metadata.get("label") or "")
            yield str(cell.metadata.get("help") or "")
            yield from _of_field(cell)


def _declared(connector: Any) -> Iterator[str]:
    yield from (connector.description, connector.address_help)
    yield from _of_schema(connector.Settings)
    for catalogue in connector.catalogues:
        yield catalogue.label
    for resource in connector.resources:
        yield resource.label
        yield from (ref.label for ref in resource.refs)
        yield from _of_schema(resource.SourceOptions, resource.TargetOptions)
        for procedure in getattr(resource, "procedures", ()):
            yield from (procedure.label, procedure.help, procedure.template.name)
            yield from _of_schema(procedure.Options)
        for filter in getattr(resource, "filters", ()):
            yield from (filter.label, *(label for _, label in filter.choices))


# sentences that are stored


def sentences(file: Path) -> Iterator[str]:
    """Texts that this module may store: what it raises, notes and finds, and the whole sentences of its tables."""
    tree = ast.parse(file.read_text())
    for table in tree.body:
        if isinstance(table, ast.Assign | ast.AnnAssign) and table.value is not None:
            for node in ast.walk(table.value):
                yield from (text for text in _text(node) if SENTENCE.fullmatch(text))
                yield from _name_of_finding(node, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            if name in SAYING:
                for argument in node.args[:4]:
                    yield from _text(argument)
            for keyword in node.keywords:
                if keyword.arg in KEYWORDS:
                    yield from _text(keyword.value)
            if name == "Finding":
                for keyword in node.keywords:
                    yield from _text(keyword.value)
                    if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):  # often one word: "Sign-in"
                        yield str(keyword.value.value)
                for argument in node.args:
                    yield from _text(argument)
        elif (isinstance(node, ast.Assign) and any(getattr(one, "id", "") in NAMES for one in node.targets)) or (
            isinstance(node, ast.Return) and isinstance(node.value, ast.JoinedStr | ast.Constant)
        ):
            yield from _text(node.value)


def _name_of_finding(node: ast.AST, tree: ast.Module) -> Iterator[str]:
    """What a row of a table calls its check ("Contacts"), in modules that make findings."""
    finds = any(
        isinstance(one, ast.ImportFrom) and any(each.name == "Finding" for each in one.names) for one in tree.body
    )
    if finds and isinstance(node, ast.Tuple) and node.elts and isinstance(node.elts[0], ast.Constant):
        name = node.elts[0].value
        if isinstance(name, str) and TITLE.fullmatch(name):
            yield name


def _plain(text: str) -> str:
    """Without braces but {input}, which marshmallow fills with what was typed."""
    return "{input}".join(part.replace("{", "(").replace("}", ")") for part in text.split("{input}"))


def _text(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if " " in node.value.strip():
            yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "strip"):
        yield from _text(node.func.value)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _text(value)
    elif isinstance(node, ast.IfExp):
        yield from _text(node.body)
        yield from _text(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _text(value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _text(node.left)
        yield from _text(node.right)
    elif isinstance(node, ast.JoinedStr):
        places = iter(ascii_lowercase)
        made = "".join(
            _plain(str(part.value)) if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values
        )
        for one in HINT.split(made):  # what is said behind it has a blank of its own
            if " " in one.strip():
                yield one


# files


def _write(folder: Path, language: str, texts: list[str]) -> int:
    file = folder / language / "LC_MESSAGES" / "messages.po"
    known: dict[str, str] = {}
    if file.is_file():
        with file.open("rb") as stream:
            known = {str(one.id): str(one.string) for one in read_po(stream, locale=language) if one.id}
    made = Catalog(locale=language, project="connector-host", fuzzy=False)
    for text in texts:
        made.add(text, known.get(text, ""))
    file.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    write_po(out, made, omit_header=True, width=100, sort_output=True)
    file.write_bytes(out.getvalue())
    return sum(1 for text in texts if not known.get(text))


if __name__ == "__main__":
    sys.exit(main())
