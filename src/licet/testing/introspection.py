"""An introspection endpoint without a network, for programs that check opaque tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx2

__all__ = ["FakeIntrospection"]


class FakeIntrospection(httpx2.BaseTransport):
    """Answers as an RFC 7662 endpoint does: the `transport` of an `IntrospectionVerifier`.

    `asked` lists the tokens that it was asked about. Set `outage` to an HTTP status, or to an
    exception such as ``httpx2.ConnectError("down")``, to see what a program does without it.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.outage: int | Exception | None = None
        self._answers: dict[str, dict[str, Any]] = {}

    def vouch(self, token: str, sub: str = "someone", **members: Any) -> str:
        """Have `token` stand for `sub`, with these other members in the answer; the token."""
        self._answers[token] = {"active": True, "sub": sub, **members}
        return token

    def revoke(self, token: str) -> None:
        """Have `token` stand for nobody."""
        self._answers.pop(token, None)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to one question."""
        token = parse_qs(request.read().decode("ascii")).get("token", [""])[0]
        self.asked.append(token)
        if isinstance(self.outage, Exception):
            raise self.outage
        if self.outage is not None:
            return httpx2.Response(self.outage)
        return httpx2.Response(200, json=self._answers.get(token, {"active": False}))
