"""One provider's authorization code flow with PKCE: the way there, and what comes back.

Authlib writes and sends OAuth's requests; whether the ID token holds is `JWTVerifier`'s decision,
as for every other token. Tokens are looked at and forgotten.

Source: OpenID Connect Core 1.0 section 3.1; RFC 7636; RFC 9207; RFC 9700 section 4.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote_plus

import httpx2

from licet.authn.identity import Identity
from licet.authn.tokens._fetch import TIMEOUT_SECONDS
from licet.authn.tokens.jwt import JWTVerifier, KeySource
from licet.authn.tokens.provider_metadata import MetadataCache
from licet.errors import (
    AuthenticationUnavailable,
    InvalidToken,
    SignInDeclined,
    SignInFailed,
    UnusableAnswer,
)
from licet.settings import ProviderSettings
from licet.wire.client import make_client_of

__all__ = ["Challenge", "CodeFlow"]

log = logging.getLogger(__name__)
MAX_CODE_CHARS: Final = 4096
_BASIC: Final = "client_secret_basic"
_POST: Final = "client_secret_post"


class Challenge:
    """What one sign-in is recognised by: nobody without the browser's secret can make it.

    Args:
        secret: what the browser's cookie holds.
        state: what is sent along and comes back.
    """

    def __init__(self, secret: str, state: str) -> None:
        self.state = state
        self.nonce = _derived(secret, f"nonce {state}")
        self.code_verifier = _derived(secret, f"code verifier {state}")


def _derived(secret: str, purpose: str) -> str:
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


class CodeFlow:
    """Signs people in at one provider.

    Args:
        settings: who the provider is, and who we are to it.
        redirect_uri: where it sends people back to, as registered there.
        keys: its public keys.
        clock: seconds since the epoch.

    Concurrency: one for all threads.

    Raises:
        ConfigurationError: the issuer is not one that can be trusted, an algorithm is not, or
            Authlib is not installed.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        redirect_uri: str,
        keys: KeySource,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from licet.authn.sign_in import _oauth  # noqa: PLC0415 - needs Authlib, an extra

        self._oauth = _oauth
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._metadata = MetadataCache(settings.issuer, clock=clock)
        self._verifier = JWTVerifier(
            issuer=settings.issuer,
            audience=settings.client_id,
            algorithms=settings.algorithms,
            keys=keys,
            token_use="id",  # noqa: S106 - no password
            groups_are_local=settings.groups_are_local,
            clock=clock,
        )

    def begin(self, challenge: Challenge) -> str:
        """The URL at the provider where the person signs in.

        Raises:
            AuthenticationUnavailable: the provider does not answer.
        """
        endpoint = self._needed(self._metadata.get().authorization_endpoint)
        with self._client() as client:
            url, _state = client.create_authorization_url(
                endpoint,
                state=challenge.state,
                code_verifier=challenge.code_verifier,
                nonce=challenge.nonce,
                **self._asked_for(),
            )
        return str(url)

    def _asked_for(self) -> dict[str, str]:
        """How the provider shall make sure of the person (OpenID Connect Core 3.1.2.1)."""
        values = " ".join(self.settings.acr_values)
        return {"acr_values": values} if values else {}

    def finish(self, answer: Mapping[str, str], challenge: Challenge) -> Identity:
        """Who signed in, by what the provider sent along when it sent them back.

        Raises:
            SignInDeclined: nobody did, since the person or the provider did not want to.
            SignInFailed: the answer, or the token behind it, is not for this sign-in.
            AuthenticationUnavailable: the provider does not answer, or not as it should.
            UnusableAnswer: its token endpoint gave an answer that cannot be read.
        """
        self._check_issuer(answer)
        if "error" in answer:
            raise self._refusal(answer["error"])
        code = answer.get("code", "")
        if not (code.isascii() and code.isprintable() and 0 < len(code) <= MAX_CODE_CHARS):
            raise SignInFailed
        return self._verified(self._id_token(code, challenge), challenge)

    def end_session_url(self) -> str | None:
        """Where the person can sign out at the provider too; None where there is no such place."""
        try:
            url = self._metadata.get().end_session_endpoint
        except AuthenticationUnavailable:
            return None
        return url and str(httpx2.URL(url).copy_add_param("client_id", self.settings.client_id))

    def _needed(self, endpoint: str | None) -> str:
        if endpoint is None:
            raise self._unavailable("its metadata lack an endpoint")
        return endpoint

    def _check_issuer(self, answer: Mapping[str, str]) -> None:
        """Refuse an answer that another provider gave (RFC 9207 section 2.4)."""
        said = answer.get("iss")
        is_needed = said is not None or self._metadata.get().names_itself
        if is_needed and said != self.settings.issuer:
            raise self._failed("the answer names another issuer, or none")

    def _refusal(self, error: str) -> Exception:
        """What the provider's error means to the person (RFC 6749 section 4.1.2.1)."""
        shown = error if error.isascii() and error.isprintable() and len(error) <= 64 else "unknown"
        if shown in ("server_error", "temporarily_unavailable"):
            return self._unavailable(f"it answers {shown}")
        log.info("A sign-in at %s was declined: %s", self.settings.issuer, shown)
        return SignInDeclined()

    def _id_token(self, code: str, challenge: Challenge) -> str:
        endpoint = self._needed(self._metadata.get().token_endpoint)
        try:
            with self._client(sends_secret=True) as client:
                answer = client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=challenge.code_verifier,
                    redirect_uri=self.redirect_uri,
                )
        except self._oauth.OAuthError as error:
            if error.error == "invalid_grant":
                raise self._failed("the code is not good") from error
            raise self._unavailable("it refuses us; are client id and secret right?") from error
        except httpx2.HTTPError as error:
            raise self._unavailable(f"the token endpoint: {type(error).__name__}") from error
        except Exception as error:
            # Authlib calculates with members of the answer, whatever they are.
            raise self._unusable(error) from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise self._unavailable("it gives no ID token")
        return token

    def _verified(self, token: str, challenge: Challenge) -> Identity:
        try:
            identity = self._verifier.verify(token)
        except InvalidToken as error:
            raise self._failed(f"the ID token: {error.description}") from error
        nonce = identity.claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode("utf-8", "surrogatepass"), challenge.nonce.encode()
        ):
            raise self._failed("the ID token is of another sign-in")
        return identity

    def _client(self, *, sends_secret: bool = False) -> Any:
        settings, method = self.settings, self._method()
        client_id, secret = settings.client_id, settings.client_secret
        if sends_secret and method == _BASIC:  # RFC 6749 section 2.3.1, which Authlib leaves to us
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        authlibs: Any = self._oauth.SignInClient  # Authlib has no types
        kind = partial(
            authlibs,
            client_id,
            secret or None,
            token_endpoint_auth_method=method,
            scope=" ".join(settings.scopes),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )
        return make_client_of(kind, timeout_seconds=TIMEOUT_SECONDS)

    def _method(self) -> str:
        if not self.settings.client_secret:
            return "none"
        known = self._metadata.get().client_methods
        return _POST if _POST in known and _BASIC not in known else _BASIC

    def _failed(self, why: str) -> SignInFailed:
        log.warning("A sign-in at %s failed: %s", self.settings.issuer, why)
        return SignInFailed()

    def _unusable(self, error: Exception) -> UnusableAnswer:
        kind = type(error).__name__
        log.warning(
            "The token endpoint of %s gave no usable answer: %s", self.settings.issuer, kind
        )
        return UnusableAnswer()

    def _unavailable(self, why: str) -> AuthenticationUnavailable:
        log.warning("The provider %s cannot be used: %s", self.settings.issuer, why)
        return AuthenticationUnavailable(
            "The sign-in service does not answer at the moment. Try again later."
        )
