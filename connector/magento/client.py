"""The HTTP session to one Magento shop: addresses, signatures, tokens. What answers mean stands in `answers`."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import requests
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256
from oauthlib.oauth1 import Client as Signer

from connector import AccessDenied, Account, Answer, Client, Host, InDoubt, Payload, RetryLater, StopRun
from connector.client import READ_SECONDS, Query, dumps
from connector.magento import answers

OAUTH_SECRETS = {
    "consumer_key": "consumer key",
    "consumer_secret": "consumer secret",
    "access_token": "access token",
    "access_token_secret": "access token secret",
}
NEEDED = {
    "oauth": OAUTH_SECRETS,
    "bearer": {"access_token": "access token"},
    "admin": {"username": "user name", "password": "password"},
}
PATIENCE = 3  # times the usual wait: a list of full orders takes Magento half a minute on a bad day
LOCK_SECONDS = 60.0
REFUSED_SECONDS = 900.0  # how long a refused admin password is not tried again: Magento locks accounts
PERSON_SECONDS = 10.0  # ... when a person presses "Test connection"
PAGE_SIZE, CURRENT_PAGE = "searchCriteria[pageSize]", "searchCriteria[currentPage]"
MASK = re.compile(r"(?<=/guest-carts/)[^/]+")

Filter = tuple[str, str, Any]  # field, condition, value
Sort = tuple[str, str]  # field, ASC or DESC


def criteria(
    filters: Sequence[Filter] = (),
    sort: Sequence[Sort] = (),
    *,
    size: int | None = None,
    page: int | None = None,
    fields: str | None = None,
) -> list[tuple[str, Any]]:
    """The query of a list call: every filter in a group of its own, so that all must hold (section 3)."""
    query: list[tuple[str, Any]] = []
    for number, (field, condition, value) in enumerate(filters):
        path = f"searchCriteria[filter_groups][{number}][filters][0]"
        query += [(f"{path}[field]", field), (f"{path}[value]", value), (f"{path}[condition_type]", condition)]
    for number, (field, direction) in enumerate(sort):
        path = f"searchCriteria[sortOrders][{number}]"
        query += [(f"{path}[field]", field), (f"{path}[direction]", direction)]
    if size is not None:
        query.append((PAGE_SIZE, size))
    if page is not None:
        query.append((CURRENT_PAGE, page))
    if not query:
        query.append(("searchCriteria", ""))
    if fields is not None:
        query.append(("fields", fields))
    return query


class MagentoClient(Client):
    """One account's session, for several threads. Calls are made by `ask`, which knows where routes live."""

    read_seconds = PATIENCE * READ_SECONDS

    def __init__(self, account: Account, host: Host) -> None:
        super().__init__(account, host)
        settings = account.settings
        self.auth: str = settings.get("auth") or "oauth"
        self.saas: bool = settings.get("address_form") == "saas"
        self.index_php: bool = bool(settings.get("index_php"))
        self.values = {name: str(settings.get(name) or "").strip() for name in (*OAUTH_SECRETS, "username", "password")}
        self._here = threading.local()
        told = "\n".join((account.base_url, self.values["username"], self.values["password"]))
        self._digest = hashlib.sha256(told.encode()).hexdigest()[:24]

    def missing(self) -> str | None:
        """A sentence naming what this way of signing in needs and the account lacks; None when it is complete."""
        if self.saas and self.auth != "bearer":
            return (
                f"{self.account.name}: Adobe Commerce as a Cloud Service takes no integrations or admin tokens. "
                "Choose 'Access token alone' and enter an Adobe IMS token as access token."
            )
        lacking = [label for name, label in NEEDED[self.auth].items() if not self.values[name]]
        if not lacking:
            return None
        what = " and the ".join(lacking)
        said = f"{self.account.name}: signing in with an integration needs the {what}; enter it."
        if self.auth == "bearer":
            said = f"{self.account.name}: signing in with an access token alone needs the {what}; enter it."
        elif self.auth == "admin":
            said = f"{self.account.name}: signing in as an admin user needs the {what}; enter it."
        return said

    def path(self, route: str, store: str = "all") -> str:
        """Where a route such as "orders/5" lives in this shop."""
        if self.saas:
            return f"/V1/{route}"
        return f"{'/index.php' if self.index_php else ''}/rest/{quote(store, safe='')}/V1/{route}"

    @property
    def lag(self) -> float:
        """Seconds after which a call whose answer was lost has ended in the shop, or never will: PHP goes on when its
        caller is gone, and what it makes shows only then."""
        return self.read_seconds / 2

    def ask(
        self,
        method: str,
        route: str,
        *,
        query: Query | None = None,
        body: Any = None,
        store: str | None = None,
        write: bool | None = None,
        reference: str | None = None,
        tries: int | None = None,
    ) -> Answer:
        """Call a route. `store` is a store view's code; texts and e-mails then come out in its language.

        Raises what `Client.call` and `answers.judge` raise.
        """
        self._here.store = store
        try:
            return self.call(
                method,
                self.path(route, store or "all"),
                query=query,
                body=body,
                write=write,
                reference=reference,
                tries=tries,
            )
        finally:
            self._here.store = None

    def rows(self, route: str, query: Query, *, tries: int | None = None) -> tuple[list[Any], int | None]:
        """The `items` of a list call and its `total_count`, None when that is missing.

        Raises StopRun when the answer is not shaped like a list.
        """
        data = self.ask("GET", route, query=query, tries=tries).data
        items = data.get("items") if isinstance(data, dict) else None
        if items is None and isinstance(data, dict) and "items" in data:
            items = []  # some shops answer null for nothing
        if not isinstance(items, list):
            raise StopRun(f"{self.account.name}: GET {route} answered without a list of items: {str(data)[:120]}")
        total = data.get("total_count")
        return items, total if isinstance(total, int) and not isinstance(total, bool) else None

    def some(self, route: str, query: Sequence[tuple[str, Any]]) -> list[Any]:
        """The rows of a look-up of one page, from smaller pages where the shop limits them.

        Raises what `rows` raises.
        """
        try:
            return self.rows(route, query)[0]
        except answers.PageTooLarge as error:
            asked = next(value for name, value in query if name == PAGE_SIZE)
            if not error.limit or error.limit >= asked:
                raise
            size = error.limit
        made: list[Any] = []
        for page in range(1, -(-asked // size) + 1):
            changed = {PAGE_SIZE: size, CURRENT_PAGE: page}
            items, total = self.rows(route, [(name, changed.get(name, value)) for name, value in query])
            made += items
            if len(items) < size or (total is not None and page * size >= total):
                break
        return made[:asked]

    # what the base asks

    def authorize(self, request: requests.PreparedRequest) -> None:
        url = str(request.url).replace("[", "%5B").replace("]", "%5D")  # signed and sent alike
        request.url = url
        if self.saas and (store := getattr(self._here, "store", None)):
            request.headers["Store"] = store
        if getattr(self._here, "login", False):
            return
        if sentence := self.missing():
            raise StopRun(sentence)
        if self.auth == "oauth":
            signer = Signer(
                self.values["consumer_key"],
                client_secret=self.values["consumer_secret"],
                resource_owner_key=self.values["access_token"],
                resource_owner_secret=self.values["access_token_secret"],
                signature_method=SIGNATURE_HMAC_SHA256,
            )
            _, headers, _ = signer.sign(url, http_method=str(request.method), headers={})
            request.headers["Authorization"] = headers["Authorization"]
        elif self.auth == "bearer":
            request.headers["Authorization"] = f"Bearer {self.values['access_token']}"
        else:
            self._here.token = self._token(refused=None)
            request.headers["Authorization"] = f"Bearer {self._here.token}"

    def judge(self, answer: Answer, write: bool) -> None:
        answers.judge(self.account.name, answer, write, self.auth)

    def shown(self, path: str) -> str:
        """Who has the mask of a guest's cart reads the addresses in it, also when it has become an order."""
        return MASK.sub("...", path)

    def renew(self, answer: Answer) -> bool:
        """A nonce that was used before needs a new signature only; an admin token may have ended."""
        if self.auth == "oauth":
            return answers.NONCE_USED.search(answer.text) is not None
        if self.auth == "admin" and not answers.TWO_FACTOR.search(answer.text):
            self._token(refused=self._here.token)
            return True
        return False

    # the admin token: one for all threads and processes

    def _token(self, refused: str | None) -> str:
        token = self._shared(refused)
        if token is None:
            with self.host.state.lock("admin_token", LOCK_SECONDS):
                token = self._shared(refused) or self._login()
        return token

    def _shared(self, refused: str | None) -> str | None:
        fact = self.host.state.read("admin_token")
        if not fact or fact.get("digest") != self._digest or fact.get("token") == refused:
            return None
        return str(fact["token"])

    def forget_refusal(self) -> None:
        """Allow a person's test to try a password again that was refused a little while ago."""
        fact = self.host.state.read("admin_refused")
        if fact and self.host.now().timestamp() - float(fact["at"]) >= PERSON_SECONDS:
            self.host.state.change("admin_refused", lambda _: None)

    def _login(self) -> str:
        now = self.host.now().timestamp()
        fact = self.host.state.read("admin_refused")
        if fact and fact.get("digest") == self._digest and now - float(fact["at"]) < REFUSED_SECONDS:
            raise AccessDenied(f"{fact['said']} (not tried again since; change the password or test the connection)")
        body = {"username": self.values["username"], "password": self.values["password"]}
        path = self.path("integration/admin/token")
        try:
            answer = self._sign_in(path, body)
            answers.judge(self.account.name, answer, False, "admin")
            if not isinstance(answer.data, str) or not answer.data:
                raise StopRun(
                    f"{self.account.name}: POST {path} answered without a token: {type(answer.data).__name__}"
                )
        except AccessDenied as error:
            said = str(error)
            self.host.state.change("admin_refused", lambda _: {"digest": self._digest, "at": now, "said": said})
            self.host.state.change("admin_token", lambda _: None)
            raise
        fresh: Payload = {"token": answer.data, "digest": self._digest}
        self.host.state.change("admin_token", lambda _: fresh)
        return answer.data

    def _sign_in(self, path: str, body: Payload) -> Answer:
        self._here.login = True
        try:
            return self._once("POST", path, None, dumps(body).encode(), True, None, secret=True)
        except InDoubt as error:  # a token more or less changes nothing
            raise RetryLater(str(error).split("; whether")[0]) from error
        finally:
            self._here.login = False
