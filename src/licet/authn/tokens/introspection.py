"""Opaque tokens: ask the issuer's introspection endpoint, once for many requests.

Decides whether the issuer vouches for a token, and that it does so for us. Leaves to others what
the caller may do. When the endpoint does not answer, the request ends in 503, neither accepted nor
refused.

Source: RFC 7662; RFC 6749 section 2.3.1 (how the endpoint knows us).
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

import httpx2
from cachetools import LRUCache

from licet.authn.identity import Identity
from licet.authn.tokens._asked_once import SingleFlight
from licet.authn.tokens._fetch import BAD_URL, is_safe_to_fetch
from licet.authn.tokens._introspected import AnswerRules, read_answer
from licet.authn.tokens.bearer import MAX_TOKEN_BYTES
from licet.errors import (
    AuthenticationUnavailable,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
)
from licet.errors.names import knows_its_options
from licet.wire.client import AnswerRefused, Bounds, make_client

__all__ = ["IntrospectionVerifier"]

log = logging.getLogger(__name__)
TIMEOUT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 64 * 1024
_CACHE_ENTRIES: Final = 4096
_CACHE_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """What is known of a token: whom it stands for or why it is refused, and until when."""

    identity: Identity | None
    refusal: str
    until: float


class IntrospectionVerifier:
    """Turns opaque tokens into identities by asking their issuer.

    Args:
        endpoint: the introspection endpoint, an https URL (http on this machine only).
        client_id, client_secret: who we are to it.
        issuer: the issuer that the endpoint answers for, as identities name it.
        audience: what an answer's ``aud`` must contain. None for an endpoint that names none;
            then `accepted_scopes` must say which tokens are meant for us.
        accepted_scopes: a token needs one of these, when any are given.
        accepts_clients: take a token without ``sub`` for its client, as the client credentials
            grant makes them. Its subject is ``client:`` and the ``client_id``, so that no client is
            taken for the person whose subject its id is.
        groups_are_local: whether the answers' ``groups`` are our own groups of these names; else
            each is a group of that issuer's.
        transport: how HTTP is spoken; for tests.
        clock: seconds since the epoch.

    Raises:
        ConfigurationError: an argument is blank or malformed, or neither audience nor scopes say
            that a token is meant for us.

    An answer, a refusal too, counts for 30 s, and never past the token's ``exp``. Tokens are kept
    as SHA-256 only; good and refused ones apart, so that bogus tokens displace no good ones.

    Concurrency: one verifier serves all threads. However many meet a token first at once, the
    endpoint is asked once; none of them waits longer than 5 s for somebody else's question.
    """

    @knows_its_options
    def __init__(
        self,
        endpoint: str,
        client_id: str,
        client_secret: str,
        *,
        issuer: str,
        audience: str | None = None,
        accepted_scopes: Iterable[str] = (),
        accepts_clients: bool = False,
        groups_are_local: bool = False,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        needed = {"client_id": client_id, "client_secret": client_secret, "issuer": issuer}
        if blank := [name for name, value in needed.items() if not value]:
            raise ConfigurationError(f"IntrospectionVerifier needs {', '.join(blank)}.")
        self.issuer = issuer
        self.accepted_scopes = _checked_scopes(accepted_scopes)
        if not audience and not self.accepted_scopes:
            raise ConfigurationError(
                "IntrospectionVerifier needs audience or accepted_scopes: else it takes tokens "
                "that were made for other services."
            )
        self._endpoint = _checked_endpoint(endpoint)
        self._rules = AnswerRules(
            issuer=issuer,
            audience=audience or None,
            accepts_clients=accepts_clients,
            groups_are_local=groups_are_local,
        )
        self._http = make_client(
            timeout_seconds=TIMEOUT_SECONDS,
            bounds=Bounds(max_bytes=MAX_ANSWER_BYTES, deadline_seconds=TIMEOUT_SECONDS),
            headers={
                "Accept": "application/json",
                "Authorization": _basic(client_id, client_secret),
            },
            transport=transport,
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._good: LRUCache[bytes, _Verdict] = LRUCache(_CACHE_ENTRIES)
        self._refused: LRUCache[bytes, _Verdict] = LRUCache(_CACHE_ENTRIES)
        self._flights: SingleFlight[_Verdict] = SingleFlight(wait_seconds=TIMEOUT_SECONDS)

    def verify(self, token: str) -> Identity:
        """The identity that the issuer says `token` stands for.

        Raises:
            InvalidToken: the token is not active, or not meant for us.
            InsufficientScope: it is good, but has none of the accepted scopes.
            AuthenticationUnavailable: the endpoint gives no answer, or none that can be read.
        """
        if not token.isascii() or not 1 <= len(token) <= MAX_TOKEN_BYTES:
            raise InvalidToken("The bearer token is not one that an issuer could have made.")
        digest = hashlib.sha256(token.encode()).digest()
        verdict = self._known(digest) or self._flights.run(
            digest, lambda: self._known(digest), lambda: self._learn(digest, token)
        )
        if verdict.identity is None:
            raise InvalidToken(verdict.refusal)
        if self.accepted_scopes and verdict.identity.scopes.isdisjoint(self.accepted_scopes):
            raise InsufficientScope(accepted_scopes=self.accepted_scopes)
        return verdict.identity

    def forget(self) -> None:
        """Ask about every token anew: for tests, and after something was revoked."""
        with self._lock:
            self._good.clear()
            self._refused.clear()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _known(self, digest: bytes) -> _Verdict | None:
        with self._lock:
            found = self._good.get(digest) or self._refused.get(digest)
        return found if found is not None and self._clock() < found.until else None

    def _learn(self, digest: bytes, token: str) -> _Verdict:
        answer = read_answer(self._ask(token))
        now = self._clock()
        refusal = self._rules.refusal(answer, now)
        until = now + _CACHE_SECONDS
        if refusal is None and answer.exp is not None:
            until = min(until, answer.exp)
        identity = self._rules.identity(answer) if refusal is None else None
        verdict = _Verdict(identity=identity, refusal=refusal or "", until=until)
        with self._lock:
            self._good.pop(digest, None)
            (self._refused if identity is None else self._good)[digest] = verdict
        return verdict

    def _ask(self, token: str) -> bytes:
        """The body of the endpoint's answer about `token`."""
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            response = self._http.post(self._endpoint, data=form)
        except AnswerRefused as error:
            raise _unanswered(f"its answer {error}") from error
        except httpx2.HTTPError as error:
            raise _unanswered(type(error).__name__) from error
        if response.status_code != 200:
            raise _unanswered(f"it answers {response.status_code}")
        return response.content


def _unanswered(why: str) -> AuthenticationUnavailable:
    log.warning("The introspection endpoint does not answer as expected: %s", why)
    return AuthenticationUnavailable()


def _basic(client_id: str, client_secret: str) -> str:
    """Both halves form-encoded, so that a colon in the id does not end it."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def _checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(scopes, str):
        raise ConfigurationError(f"accepted_scopes is {scopes!r}: write a list of scopes.")
    return tuple(scopes)


def _checked_endpoint(endpoint: str) -> str:
    try:
        url = httpx2.URL(endpoint)
    except BAD_URL as error:
        raise _bad_endpoint() from error
    is_private = is_safe_to_fetch(url, allow_http=False)
    if not is_private or not url.host or url.userinfo or url.fragment:
        raise _bad_endpoint()
    return endpoint


def _bad_endpoint() -> ConfigurationError:
    return ConfigurationError(
        "The introspection endpoint is an https URL without user or fragment (http on this machine "
        "only): the client secret and tokens are sent there."
    )
