"""OAuth 1.0a as the shop checks it: HMAC-SHA256 only, each nonce once, the clock at most 600 seconds ahead.

Written from RFC 5849, section 3.4, and Magento's list of error codes, with nothing borrowed from a signing library.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from sandbox.magento.refusal import Refused
from sandbox.message import Request

NEEDED = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature_method",
    "oauth_signature",
    "oauth_timestamp",
    "oauth_token",
)
FUTURE_SECONDS = 600
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The four words of an integration."""

    consumer_key: str
    consumer_secret: str
    access_token: str
    access_token_secret: str


class Nonces:
    """Every nonce that was used, per consumer."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()

    def use(self, consumer_key: str, nonce: str) -> bool:
        """Whether it was new."""
        key = (consumer_key, nonce)
        if key in self._used:
            return False
        self._used.add(key)
        return True


def parameters(request: Request) -> dict[str, str]:
    """The protocol's own parameters, from the header or else from the query; empty when there are none."""
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "oauth ":
        found = {}
        for part in header[6:].split(","):
            name, _, value = part.strip().partition("=")
            found[unquote(name)] = unquote(value.strip().strip('"'))
        found.pop("realm", None)
        return found
    return {name: value for name, value in request.query if name.startswith("oauth_")}


def verify(
    request: Request, secrets: Secrets, nonces: Nonces, *, now: float, scheme: str | None, consumer: int
) -> None:
    """Refused unless the request carries a valid signature of this integration.

    `scheme` is what the server believes it is called by, when that differs from the truth.
    """
    given = parameters(request)
    _require(given)
    if given.get("oauth_version", "1.0") != "1.0":
        raise Refused(400, 'The "%1" Oauth version isn\'t supported.', [given["oauth_version"]])
    if given["oauth_signature_method"] != "HMAC-SHA256":
        raise Refused(400, "Signature method %1 is not supported.", [given["oauth_signature_method"]])
    if given["oauth_consumer_key"] != secrets.consumer_key:
        raise Refused(401, "A consumer having the specified key does not exist")
    if not given["oauth_timestamp"].isdecimal() or float(given["oauth_timestamp"]) > now + FUTURE_SECONDS:
        raise Refused(400, "Incorrect timestamp value in the oauth_timestamp parameter")
    if not nonces.use(given["oauth_consumer_key"], given["oauth_nonce"]):
        raise Refused(401, "The nonce is already being used by the consumer with ID %1.", [consumer])
    if given["oauth_token"] != secrets.access_token:
        raise Refused(401, "Specified token does not exist")
    expected = signature(request, given, secrets, scheme)
    if not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
        raise Refused(401, "The signature is invalid. Verify and try again.")


def _require(given: dict[str, str]) -> None:
    missing = [{"fieldName": name} for name in NEEDED if not given.get(name)]
    text = "%fieldName is a required field."
    if len(missing) == 1:
        raise Refused(400, text, missing[0])
    if missing:
        errors = [{"message": text, "parameters": name} for name in missing]
        raise Refused(400, "One or more input exceptions have occurred.", errors=errors)


def signature(request: Request, given: dict[str, str], secrets: Secrets, scheme: str | None = None) -> str:
    """What the signature of this request has to be."""
    pairs = [(name, value) for name, value in request.query if not name.startswith("oauth_")]
    pairs += [(name, value) for name, value in given.items() if name != "oauth_signature"]
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        pairs += parse_qsl(request.body.decode(), keep_blank_values=True)
    encoded = sorted((_encode(name), _encode(value)) for name, value in pairs)
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    base = "&".join([request.method.upper(), _encode(_base_url(request.url, scheme)), _encode(joined)])
    key = f"{_encode(secrets.consumer_secret)}&{_encode(secrets.access_token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def _base_url(url: str, scheme: str | None) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return f"{scheme or parts.scheme}://{host}{parts.path}"


def _encode(text: str) -> str:
    return quote(text, safe="-._~")
