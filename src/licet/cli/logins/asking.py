"""One POST to who gives tokens: bounded in time and size, never redirected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import httpx2

from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.wire.client import AnswerRefused, Bounds, make_client
from licet.wire.documents import read_json
from licet.wire.text import printable

__all__ = ["Answer", "post"]

TIMEOUT_SECONDS: Final = 10.0
_MAX_TOLD: Final = 200


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
    bounds = Bounds(deadline_seconds=TIMEOUT_SECONDS, monotonic=monotonic)
    headers = {"Accept": "application/json"}
    try:
        with make_client(timeout_seconds=TIMEOUT_SECONDS, bounds=bounds, headers=headers) as client:
            response = client.post(url, data=form, json=body)
    except AnswerRefused as error:
        raise LoginUnreachable(f"The answer of {url} {error}.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # only the kind of error: its text may hold what was sent
        raise LoginUnreachable(f"{url} does not answer: {type(error).__name__}") from None
    if response.status_code >= 500:
        raise LoginUnreachable(f"{url} answers {response.status_code}")
    return Answer(response.status_code, _object(response.content))


def _object(received: bytes) -> Mapping[str, Any]:
    try:
        found = read_json(received)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
