"""What must not be readable: encryption at rest, references to the environment, redaction of what is shown.

The key lies in the data folder (`secret.key`, readable by its owner only) or in CONNECTOR_SECRET_KEY (several keys
separated by commas: the first encrypts, all decrypt, so a key can be changed while runs go on).
"""

from __future__ import annotations

import functools
import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from profiles.db import DatabaseTrouble, home

REFERRING = "env:"  # how a reference begins
REFERENCE = re.compile(r"^env:([A-Za-z_][A-Za-z0-9_]*)$")


class MissingSecret(Exception):
    """A reference names an environment variable that is not set."""


def seal(values: Any) -> str:
    """Encrypt a JSON value."""
    return _box().encrypt(json.dumps(values).encode()).decode()


def unseal(text: str) -> Any:
    """Decrypt what `seal` made."""
    if not text:
        return {}
    try:
        return json.loads(_box().decrypt(text.encode()))
    except InvalidToken as error:
        raise DatabaseTrouble(
            "A stored secret cannot be decrypted: the key differs from the one it was stored with. "
            f"Restore {home() / 'secret.key'} or CONNECTOR_SECRET_KEY, or enter the credentials again."
        ) from error


SEALED = "sealed:"  # before a secret that stands alone among readable settings


def seal_text(secret: str) -> str:
    """A single secret as it is stored among settings that are not secret; a sealed one or a reference as it is."""
    return secret if secret.startswith(SEALED) or REFERENCE.match(secret) else SEALED + seal(secret)


def opened(value: Any) -> Any:
    """The secret itself, looked up where a reference stands in its place. Raises MissingSecret."""
    if isinstance(value, str) and value.startswith(SEALED):
        return unseal(value.removeprefix(SEALED))
    return reveal(value)


def reveal(value: Any) -> Any:
    """The value itself; a reference (env:NAME) is looked up now. Raises MissingSecret."""
    found = REFERENCE.match(value) if isinstance(value, str) else None
    if not found:
        return value
    try:
        return os.environ[found[1]]
    except KeyError:
        raise MissingSecret(f"The environment variable {found[1]} is not set (referred to as {value}).") from None


def mark(purpose: str) -> str:
    """A text for an address that only who knows the key can make; the same each time."""
    return next(_marks(purpose))


def marked(purpose: str, given: str) -> bool:
    """Whether this is the mark, by the key of today or one that still decrypts."""
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in _marks(purpose))


def _marks(purpose: str) -> Iterator[str]:
    for key in _keys(os.environ.get("CONNECTOR_SECRET_KEY") or "", str(home().resolve())):
        yield hmac.new(key.encode(), purpose.encode(), "sha256").hexdigest()[:40]


def _box() -> MultiFernet:
    return _made(os.environ.get("CONNECTOR_SECRET_KEY") or "", str(home().resolve()))


@functools.cache
def _made(given: str, folder: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(one) for one in _keys(given, folder)])
    except ValueError as error:
        place = "CONNECTOR_SECRET_KEY" if given.strip(", ") else Path(folder) / "secret.key"
        raise DatabaseTrouble(f"{place} is not a key (32 bytes, url-safe base64).") from error


@functools.cache
def _keys(given: str, folder: str) -> list[str]:
    return [one.strip() for one in given.split(",") if one.strip()] or [_file_key(Path(folder) / "secret.key")]


def _file_key(file: Path) -> str:
    """Read the key, or make one; two processes that start at once agree on one file."""
    if not file.exists():
        draft = file.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(Fernet.generate_key())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()


_SECRET_NAME = re.compile(
    r"pass(word|wd)?$|secret|token|authorization|api_?key|consumer_?key|protect_code|signature|credential|cc_last4|cc_number|iban",
    re.I,
)
_IN_TEXT = re.compile(  # beginning with a word only: a file in base64 is one word of a million letters
    r'("?(?<![\w-])(?:[\w-]*(?:password|secret|token|authorization|api_?key|consumer_?key|protect_code|signature))"?\s*[:=]\s*)("[^"]*"|[^\s,&}"]+)',
    re.I,
)
HIDDEN = "•••"


def redact(value: Any) -> Any:
    """A copy in which secrets are hidden: by name in mappings, by pattern in texts."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(key, str) and _SECRET_NAME.search(key) and item else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    if isinstance(value, str):
        return redact_text(value)
    return value


def redact_text(text: str) -> str:
    """The text with secrets hidden; JSON is redacted by its keys."""
    if text[:1] in "{[":
        try:
            return json.dumps(redact(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):  # no JSON, or nested beyond reason
            pass
    text = re.sub(r"(?i)\b(bearer|oauth)\s+[\w.~+/=-]{8,}", rf"\1 {HIDDEN}", text)
    return _IN_TEXT.sub(rf"\1{HIDDEN}", text)
