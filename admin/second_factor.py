"""The second factor of a login: a code of six digits that changes every half minute (RFC 6238), and recovery codes.

What is stored is one sealed text per user: the key, and the fingerprints of the recovery codes that are left. The codes
have 50 random bits each and count towards the lock-out, so a plain digest keeps them: nobody can try them all.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import time
from dataclasses import dataclass, replace

import pyotp
import segno
from markupsafe import Markup

from profiles.secrets import seal, unseal

ISSUER = "Connector"
DIGITS = 6
STEP_SECONDS = 30
LATE_STEPS = 1  # a code of the half minute before and after is taken too: clocks differ, and people type slowly
RECOVERY_CODES = 10
SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for another on paper


@dataclass(frozen=True, kw_only=True)
class Factor:
    """The second factor of one user."""

    key: str  # base32
    recovery: tuple[str, ...] = ()  # fingerprints of the codes that are left

    def sealed(self) -> str:
        return seal({"key": self.key, "recovery": list(self.recovery)})

    def step_of(self, code: str, used: int, moment: float | None = None) -> int | None:
        """The time step that the code belongs to; None when it is wrong, or not later than the one used last."""
        current = int((time.time() if moment is None else moment) // STEP_SECONDS)
        expected = pyotp.HOTP(self.key, digits=DIGITS)
        given = code.encode()
        for step in range(current - LATE_STEPS, current + LATE_STEPS + 1):
            if hmac.compare_digest(expected.at(step).encode(), given) and step > used:
                return step
        return None

    def without(self, code: str) -> Factor | None:
        """The factor after this recovery code was used up; None when it is none of them."""
        print_ = fingerprint(code)
        if print_ not in self.recovery:
            return None
        return replace(self, recovery=tuple(one for one in self.recovery if one != print_))

    def address(self, name: str) -> str:
        """What the QR code says."""
        return pyotp.TOTP(self.key, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(
            name=name, issuer_name=ISSUER
        )

    def picture(self, name: str, label: str) -> Markup:
        """The QR code as inline SVG: served with the page itself, in no file and no cache."""
        out = io.BytesIO()
        segno.make(self.address(name), error="m", micro=False).save(
            out,
            kind="svg",
            xmldecl=False,
            svgns=False,
            svgclass="qr",
            lineclass=None,
            omitsize=True,
            light="#fff",
            border=3,
        )
        drawn = out.getvalue().decode().strip()
        return Markup('<svg role="img" aria-label="{}"').format(label) + Markup(drawn.removeprefix("<svg"))

    @property
    def spelled(self) -> str:
        """The key in groups, for those who type it."""
        return " ".join(self.key[at : at + 4] for at in range(0, len(self.key), 4))


def new() -> Factor:
    return Factor(key=pyotp.random_base32())


def made(key: str, codes: list[str]) -> Factor:
    return Factor(key=key, recovery=tuple(fingerprint(one) for one in codes))


def opened(sealed: str) -> Factor:
    """Raises DatabaseTrouble when it was sealed with another key."""
    held = unseal(sealed)
    return Factor(key=held["key"], recovery=tuple(held.get("recovery") or ()))


def recovery_codes() -> list[str]:
    """New ones, to be shown once and kept as fingerprints only."""
    return [
        "-".join("".join(secrets.choice(SIGNS) for _sign in range(5)) for _half in range(2))
        for _ in range(RECOVERY_CODES)
    ]


def fingerprint(code: str) -> str:
    return hashlib.sha256(plain(code).encode()).hexdigest()


def plain(code: str) -> str:
    """As it is compared: people type blanks and dashes, or none."""
    return "".join(sign for sign in code.lower() if sign.isalnum())
