"""The answer to a button: pages that stay get what came of it as JSON, a plain form gets a message and the next page."""

from __future__ import annotations

from flask import flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue


def by_script() -> bool:
    return request.headers.get("X-Requested-With") == "fetch"


def answered(said: str, address: str, *, good: bool = True) -> ResponseReturnValue:
    tone = "good" if good else "bad"
    if by_script():
        return jsonify(said=said, tone=tone)
    flash(said, tone)
    return redirect(address)
