"""One POST to who gives tokens: bounded in time and size, never redirected."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx2

from licet.authn.tokens._fetch import PAST_PROXIES
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.cli.text import printable

__all__ = ["Answer", "post"]

TIMEOUT_SECONDS: Final = 10.0
MAX_BYTES: Final = 256 * 1024
_MAX_TOLD: Final = 200
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Answer(NamedTuple):
    """The status, and the JSON object of the body; an empty one when there is none."""

    status: int
    document: Mapping[str, Any]

    def reason(self) -> str:
        """Why it was refused, in the words of the other side."""
        for name in ("error_description", "error", "description", "detail", "message"):
            told = self.document.get(name)
            if isinstance(told, str) and told:
                return printable(told[:_MAX_TOLD])
        return f"status {self.status}"

    def granted(self) -> Mapping[str, Any]:
        """The body of a success.

        Raises:
            LoginRefused: it is none.
        """
        if not 200 <= self.status < 300:
            raise LoginRefused(f"The sign-in was refused: {self.reason()}")
        return self.document


def post(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """What `url` answers to a form or a JSON body.

    Raises:
        LoginUnreachable: nobody answers, or with a status of 500 and more, or endlessly.
    """
    deadline = monotonic() + TIMEOUT_SECONDS
    try:
        with (
            httpx2.Client(headers=_HEADERS, timeout=TIMEOUT_SECONDS, mounts=PAST_PROXIES) as client,
            client.stream("POST", url, data=form, json=body) as response,
        ):
            received = _received(response, deadline, monotonic)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # only the kind of error: its text may hold what was sent
        raise LoginUnreachable(f"{url} does not answer: {type(error).__name__}") from None
    if response.status_code >= 500:
        raise LoginUnreachable(f"{url} answers {response.status_code}")
    return Answer(response.status_code, _object(received))


def _received(response: httpx2.Response, deadline: float, monotonic: Callable[[], float]) -> bytes:
    received = b""
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) > MAX_BYTES or monotonic() > deadline:
            raise LoginUnreachable(f"{response.url} answers with too much, or too slowly")
    return received


def _object(received: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(received)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
