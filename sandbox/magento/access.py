"""Who calls, and what the caller may do."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from sandbox.magento import oauth
from sandbox.magento.refusal import Refused, not_allowed
from sandbox.magento.settings import Settings
from sandbox.message import Request


class Access:
    """Checks credentials and rights, and issues the administrator's tokens."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.forbidden: set[str] = set()
        self.tokens: dict[str, datetime] = {}
        self._nonces = oauth.Nonces()
        self._numbers = count(1)

    def issue(self, user: object, password: object, now: datetime) -> str:
        """A token for the administrator; refused for a wrong password, and for any with two-factor on."""
        settings = self.settings
        if (user, password) != (settings.admin_user, settings.admin_password):
            text = (
                "The account sign-in was incorrect or your account is disabled temporarily. "
                "Please wait and try again later."
            )
            raise Refused(401, text)
        if settings.two_factor:
            raise Refused(401, "Please use the 2fa provider-specific endpoints to obtain a token.")
        token = f"admin-token-{next(self._numbers):06d}"
        self.tokens[token] = now
        return token

    def check(self, request: Request, resource: str | None, now: datetime) -> None:
        """Refused unless the caller is known and has the right; None is open to everyone."""
        if resource is None:
            return
        if not self._known(request, now) or resource in self.forbidden:
            raise not_allowed(resource)

    def expire(self, request: Request) -> None:
        """Void the administrator's token that this request carries."""
        self.tokens.pop(_bearer(request) or "", None)

    def forbid(self, resources: Iterable[str], forbidden: bool) -> None:
        for resource in resources:
            (self.forbidden.add if forbidden else self.forbidden.discard)(resource)

    def _known(self, request: Request, now: datetime) -> bool:
        settings = self.settings
        bearer = _bearer(request)
        if settings.saas_tenant:
            return bearer == settings.ims_token
        if bearer is not None:
            if bearer in self.tokens:
                return now - self.tokens[bearer] < timedelta(hours=settings.token_hours)
            return settings.integration_as_bearer and bearer == settings.access_token
        if not oauth.parameters(request):
            return False
        secrets = oauth.Secrets(
            consumer_key=settings.consumer_key,
            consumer_secret=settings.consumer_secret,
            access_token=settings.access_token,
            access_token_secret=settings.access_token_secret,
        )
        scheme = "https" if settings.wrong_scheme else None
        oauth.verify(request, secrets, self._nonces, now=now.timestamp(), scheme=scheme, consumer=settings.consumer_id)
        return True


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization", "")
    return header[7:].strip() if header[:7].lower() == "bearer " else None
