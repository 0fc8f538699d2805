"""Signing in with a browser at an OpenID provider: authorization code, PKCE, loopback redirect.

Source: RFC 8252, RFC 7636, RFC 8707 (``resource``), RFC 9207 (``iss``), OpenID Connect Core 1.0
sections 3.1 and 11.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx2

from licet.authn.tokens._claims import verified_email
from licet.authn.tokens._jws import ASYMMETRIC_ALGORITHMS
from licet.authn.tokens._rfc7636 import CHALLENGE_METHOD, CodeSecret, new_code_secret
from licet.authn.tokens.jwt import JWTVerifier
from licet.authn.tokens.provider_metadata import ProviderMetadata
from licet.cli.logins.asking import post
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.cli.logins.grant import Grant, grant_of
from licet.cli.logins.loopback import awaiting_redirect
from licet.errors import AuthenticationUnavailable, InvalidToken

__all__ = ["CodeFlow", "SignedIn", "target_of"]


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """What came of a sign-in: the tokens, and whose they are."""

    grant: Grant
    who: str


def target_of(resource: str, audience: str | None) -> dict[str, str]:
    """The parameters that say what the token is for."""
    return {"resource": resource} if audience is None else {"audience": audience}


@dataclass(frozen=True, kw_only=True)
class CodeFlow:
    """One sign-in.

    `show` is given the address of the sign-in page; `wait_seconds` is how long somebody may take.
    """

    metadata: ProviderMetadata
    client_id: str
    scopes: Sequence[str]
    resource: str
    audience: str | None
    show: Callable[[str], None]
    wait_seconds: float

    def run(self) -> SignedIn:
        """Wait for somebody to sign in, and redeem the code.

        Raises:
            LoginRefused: the provider refuses, or answers as another would.
            LoginUnreachable: the provider does not answer, or nobody signs in.
        """
        page, token_endpoint = self._endpoints()
        state, nonce, secret = (
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            new_code_secret(),
        )
        with awaiting_redirect(state) as redirect:
            asked = self._parameters(redirect.uri, state, nonce, secret)
            self.show(str(httpx2.URL(page).copy_merge_params(asked)))
            code = self._code(redirect.wait(self.wait_seconds))
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect.uri,
            "client_id": self.client_id,
            "code_verifier": secret.verifier,
            **target_of(self.resource, self.audience),
        }
        grant = grant_of(post(token_endpoint, form=form).granted())
        return SignedIn(grant=grant, who=self._who(grant, nonce))

    def _endpoints(self) -> tuple[str, str]:
        found = self.metadata
        if found.authorization_endpoint is None or found.token_endpoint is None:
            raise LoginRefused(f"{found.issuer} has no page where people sign in.")
        if found.challenge_methods and CHALLENGE_METHOD not in found.challenge_methods:
            raise LoginRefused(f"{found.issuer} does not do PKCE with {CHALLENGE_METHOD}.")
        return found.authorization_endpoint, found.token_endpoint

    def _parameters(
        self, redirect_uri: str, state: str, nonce: str, secret: CodeSecret
    ) -> dict[str, str]:
        stays = "offline_access" in self.metadata.scopes
        scopes = ["openid", *(["offline_access"] if stays else []), *self.scopes]
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(scopes)),
            "state": state,
            "nonce": nonce,
            "code_challenge": secret.challenge,
            "code_challenge_method": CHALLENGE_METHOD,
            **({"prompt": "consent"} if stays else {}),  # else offline_access is not heard
            **target_of(self.resource, self.audience),
        }

    def _code(self, answer: Mapping[str, str]) -> str:
        """The code, if the answer comes from the provider that was asked."""
        issuer = self.metadata.issuer
        if (self.metadata.names_itself or "iss" in answer) and answer.get("iss") != issuer:
            raise LoginRefused(f"The answer is not from {issuer}: nothing was sent to anybody.")
        if "error" in answer:
            told = answer.get("error_description") or answer["error"]
            raise LoginRefused(f"The sign-in was refused: {told[:200]}")
        if not answer.get("code"):
            raise LoginRefused(f"{issuer} answered without a code.")
        return answer["code"]

    def _who(self, grant: Grant, nonce: str) -> str:
        """Whose ID token it is: their verified address, or their number at the provider."""
        if grant.id_token is None:
            raise LoginRefused(f"{self.metadata.issuer} does not say who signed in.")
        verifier = JWTVerifier(
            issuer=self.metadata.issuer,
            audience=self.client_id,
            algorithms=self.metadata.signing_algorithms & ASYMMETRIC_ALGORITHMS or {"RS256"},
            token_use="id",  # noqa: S106 - no password
        )
        try:
            identity = verifier.verify(grant.id_token)
        except InvalidToken as error:
            raise LoginRefused(f"The ID token does not hold: {error.description}") from error
        except AuthenticationUnavailable as error:
            raise LoginUnreachable(f"The keys of {verifier.issuer} cannot be had.") from error
        if identity.claims.get("nonce") != nonce:
            raise LoginRefused("The ID token is of another sign-in.")
        return verified_email(identity.claims) or identity.subject
