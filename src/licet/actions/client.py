"""A client for any provider that speaks the Action Provider Interface.

Source: spec, section 4 "Client"; seed document 001 (what its command line client does).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx2
import stamina

from licet.errors import LicetError
from licet.errors.names import knows_its_options, refuse_unknown
from licet.wire.client import AnswerRefused, Bounds, ProxyUnusable, make_client
from licet.wire.documents import read_json

__all__ = [
    "LOG_PAGE",
    "ActionClient",
    "ActionFailed",
    "ActionInactive",
    "ProviderError",
    "ProviderUnreachable",
]

ATTEMPTS: Final = 4
TIMEOUT_SECONDS: Final = 30.0
WAIT_SECONDS: Final = 10
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024  # a page of log entries has up to a thousand
ANSWER_SECONDS: Final = 300.0
LOG_PAGE: Final = 1000
LOG_OPTIONS: Final = frozenset({"limit", "marker", "reverse_order", "since", "until", "code"})
COMPLETE: Final = frozenset({"SUCCEEDED", "FAILED"})
_POLL_SECONDS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
Document = dict[str, Any]


class ProviderError(LicetError):
    """The provider refused a request; `status` and `code` say why."""

    code_name = "provider_refused"

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(f"{status} {code}: {description}")
        self.status = status
        self.code = code
        self.description = description


class ProviderUnreachable(LicetError):
    """The provider does not answer, or not as a provider does."""

    code_name = "provider_unreachable"


class ActionFailed(LicetError):
    """An action that was waited for ended as FAILED; `status` is its document."""

    code_name = "action_failed"

    def __init__(self, status: Document) -> None:
        super().__init__(f"Action {status.get('action_id')} failed: {status.get('details')}")
        self.status = status


class ActionInactive(LicetError):
    """An action that was waited for waits for somebody; `status` is its document.

    Its details say for what, and where to give it; then `ActionClient.resume` lets it go on.
    """

    code_name = "action_inactive"

    def __init__(self, status: Document) -> None:
        super().__init__(f"Action {status.get('action_id')} waits: {status.get('details')}")
        self.status = status


class ActionClient:
    """The operations of one provider.

    Args:
        base_url: where the provider's introspection is, for example ``http://localhost:8000/apt``.
        token: the bearer token, or a function that gives the one to use now; None for a public
            provider's introspection alone.
        transport: for tests.
        sleep: how `wait` passes the time.

    Raises:
        ValueError: the token has characters that no token has; of a function's, with each request.

    Connection errors and 502, 503 and 504 are tried again, up to four times in all; a repeated run
    carries the same request_id, so that it starts nothing twice.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str | None] | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Accept": "application/json"}
        self._token = token if callable(token) else None
        if not callable(token):
            headers |= _authorization(token)
        self._base_url = base_url.rstrip("/").removesuffix("/run")
        self._http = make_client(
            timeout_seconds=TIMEOUT_SECONDS,
            bounds=Bounds(max_bytes=MAX_ANSWER_BYTES, deadline_seconds=ANSWER_SECONDS),
            headers=headers,
            transport=transport,
        )
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def introspect(self) -> Document:
        """The provider's description."""
        return self._object("GET", "/")

    @knows_its_options
    def run(
        self,
        body: Mapping[str, Any],
        *,
        request_id: str | None = None,
        label: str | None = None,
        deadline: str | None = None,
        release_after: str | None = None,
        monitor_by: Collection[str] = (),
        manage_by: Collection[str] = (),
        allowed_clients: Collection[str] = (),
        tags: Collection[str] = (),
    ) -> Document:
        """Start an action; its status.

        Args:
            body: the action's input.
            request_id: repeat with the same id to be sure of exactly one action.
            label: a name for people to read, at most 64 characters.
            deadline: when it must have ended, in ISO 8601.
            release_after: how long it is kept, an ISO 8601 duration.
            monitor_by: principals that may see it.
            manage_by: principals that may cancel it.
            allowed_clients: for providers that know it, as `tags`; licet's do nothing with them.
            tags: words to find it by.
        """
        asked = {"request_id": request_id or str(uuid.uuid4()), "body": dict(body)}
        others = {"label": label, "deadline": deadline, "release_after": release_after}
        lists = {
            "monitor_by": monitor_by,
            "manage_by": manage_by,
            "allowed_clients": allowed_clients,
            "tags": tags,
        }
        asked |= {name: value for name, value in others.items() if value is not None}
        asked |= {name: sorted(value) for name, value in lists.items() if value}
        return self._object("POST", "/run", json=asked)

    def status(self, action_id: str, *, wait_seconds: int = 0) -> Document:
        """The action's present state, or its next one if that comes within `wait_seconds`.

        A provider that does not know ``Prefer: wait`` (RFC 7240) answers at once.
        """
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds > 0 else None
        return self._object("GET", f"/{_segment(action_id)}/status", headers=headers)

    def cancel(self, action_id: str) -> Document:
        """Ask the action to end; its status."""
        return self._object("POST", f"/{_segment(action_id)}/cancel")

    def release(self, action_id: str) -> Document:
        """Forget a completed action; its last status."""
        return self._object("POST", f"/{_segment(action_id)}/release")

    def resume(self, action_id: str) -> Document:
        """Go on with an INACTIVE action; its status."""
        return self._object("POST", f"/{_segment(action_id)}/resume")

    def log(self, action_id: str, **query: Any) -> Document:
        """A page of the action's log.

        `query` may hold ``limit``, ``marker``, ``reverse_order``, and the filters ``since``,
        ``until`` and ``code``.

        Raises:
            UnknownName: it holds something else, which a provider would pass over.
        """
        refuse_unknown("ActionClient.log has no option", query, LOG_OPTIONS)
        return self._object("GET", f"/{_segment(action_id)}/log", params=query)

    def log_entries(self, action_id: str, **query: Any) -> Iterator[Document]:
        """Every entry of the action's log, page after page; `query` as for `log`."""
        query = {"limit": LOG_PAGE, **query}
        while True:
            page = self.log(action_id, **query)
            entries = page.get("entries")
            if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
                raise ProviderUnreachable(f"{self._base_url} did not answer with a log.")
            yield from entries
            following = page.get("marker")
            if not page.get("has_next_page") or not following or following == query.get("marker"):
                return
            query["marker"] = following

    def enumerate(self, *, status: str = "active", roles: str = "creator_id") -> Iterator[Document]:
        """The caller's actions, newest first, page after page.

        Whatever host a page names as the next one's, it is asked of this provider: no other gets
        the token.
        """
        url: str | None = self._base_url + "/actions"
        params: dict[str, str] | None = {"status": status, "roles": roles}
        while url is not None:
            response = self._send("GET", url, params=params)
            listed = _json(response)
            if not (isinstance(listed, list) and all(isinstance(one, dict) for one in listed)):
                raise ProviderUnreachable(
                    f"{self._base_url} did not answer with a list of actions."
                )
            yield from listed
            url, params = _next_page(response), None

    def wait(
        self,
        action_id: str,
        *,
        on_progress: Callable[[Document], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Document:
        """Ask again and again until the action has ended; its last status.

        Raises:
            ActionFailed: it ended as FAILED.
            ActionInactive: it waits for somebody.
            TimeoutError: it did not end in time.
        """
        give_up_at = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        asked = 0
        while True:
            held = 1 if on_progress is not None else WAIT_SECONDS
            if give_up_at is not None:
                held = min(held, int(give_up_at - time.monotonic()))
            status = self.status(action_id, wait_seconds=held)
            if on_progress is not None:
                on_progress(status)
            if status.get("status") == "FAILED":
                raise ActionFailed(status)
            if status.get("status") in COMPLETE:
                return status
            if status.get("status") == "INACTIVE":
                raise ActionInactive(status)
            if give_up_at is not None and time.monotonic() >= give_up_at:
                raise TimeoutError(f"Action {action_id} is still {status.get('status')}.")
            self._sleep(_POLL_SECONDS[min(asked, len(_POLL_SECONDS) - 1)])
            asked += 1

    def _object(self, method: str, path: str, **options: Any) -> Document:
        document = _json(self._send(method, self._base_url + path, **options))
        if not isinstance(document, dict):
            raise ProviderUnreachable(f"{self._base_url} did not answer with a JSON object.")
        return document

    def _send(self, method: str, url: str, **options: Any) -> httpx2.Response:
        if self._token is not None:
            options["headers"] = _authorization(self._token())
        try:
            for attempt in stamina.retry_context(on=_is_passing, attempts=ATTEMPTS, timeout=60):
                with attempt:
                    response = self._http.request(method, url, **options)
                    if response.status_code in (502, 503, 504):
                        raise _refusal(response)
        except AnswerRefused as error:
            raise ProviderUnreachable(f"The answer of {url} {error}.") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ProviderUnreachable(f"{url} does not answer: {reason}") from error
        if not response.is_success:
            raise _refusal(response)
        return response


def _authorization(token: str | None) -> dict[str, str]:
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise ValueError("The token has characters that no bearer token has.")
    return {"Authorization": f"Bearer {token}"}


def _is_passing(error: Exception) -> bool:
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError | ProxyUnusable):
        return False  # our own mistake, or the environment's, and it stays one
    return isinstance(error, httpx2.TransportError | ProviderError)


def _next_page(response: httpx2.Response) -> str | None:
    link = response.links.get("next", {}).get("url")
    if not link:
        return None
    try:
        following = response.url.join(link)
    except httpx2.InvalidURL as error:
        raise ProviderUnreachable(f"{response.url} names a next page that is no URL.") from error
    found = str(response.url.copy_with(raw_path=following.raw_path))
    if found == str(response.url):
        raise ProviderUnreachable(f"{found} names itself as its next page.")
    return found


def _segment(action_id: str) -> str:
    return quote(action_id, safe="")


def _json(response: httpx2.Response) -> Any:
    try:
        return read_json(response.content)
    except ValueError as error:
        raise ProviderUnreachable(f"{response.url} did not answer with JSON.") from error


def _refusal(response: httpx2.Response) -> ProviderError:
    try:
        body = read_json(response.content)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    code = str(body.get("code") or response.reason_phrase)
    description = str(body.get("description") or body.get("detail") or response.text[:200])
    return ProviderError(response.status_code, code, description)
