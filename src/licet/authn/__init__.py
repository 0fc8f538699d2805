"""Who is calling: bearer token in, frozen `Identity` out. Whether they may is `licet.authz`'s."""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.authn.auth_state import AuthState, StateBuilder
    from licet.authn.flask import authenticate, current_account, current_identity, find_account
    from licet.authn.identity import ANONYMOUS, Identity
    from licet.authn.issuers import embedded_issuer
    from licet.authn.mapping import Standing
    from licet.authn.tokens._claims import verified_email
    from licet.authn.tokens._jwks import ProviderKeys
    from licet.authn.tokens.bearer import parse_bearer
    from licet.authn.tokens.chain import IssuerVerifier, TokenVerifier, VerifierChain
    from licet.authn.tokens.introspection import IntrospectionVerifier
    from licet.authn.tokens.issuer import EmbeddedIssuer
    from licet.authn.tokens.jwt import JWTVerifier, KeySource
    from licet.authn.verifiers import embedded_verifier, use_verifier
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.authn.auth_state": "AuthState StateBuilder",
            "licet.authn.flask": "authenticate current_account current_identity find_account",
            "licet.authn.identity": "ANONYMOUS Identity",
            "licet.authn.issuers": "embedded_issuer",
            "licet.authn.mapping": "Standing",
            "licet.authn.tokens._claims": "verified_email",
            "licet.authn.tokens._jwks": "ProviderKeys",
            "licet.authn.tokens.bearer": "parse_bearer",
            "licet.authn.tokens.chain": "IssuerVerifier TokenVerifier VerifierChain",
            "licet.authn.tokens.introspection": "IntrospectionVerifier",
            "licet.authn.tokens.issuer": "EmbeddedIssuer",
            "licet.authn.tokens.jwt": "JWTVerifier KeySource",
            "licet.authn.verifiers": "embedded_verifier use_verifier",
        },
    )

__all__ = [
    "ANONYMOUS",
    "AuthState",
    "EmbeddedIssuer",
    "Identity",
    "IntrospectionVerifier",
    "IssuerVerifier",
    "JWTVerifier",
    "KeySource",
    "ProviderKeys",
    "Standing",
    "StateBuilder",
    "TokenVerifier",
    "VerifierChain",
    "authenticate",
    "current_account",
    "current_identity",
    "embedded_issuer",
    "embedded_verifier",
    "find_account",
    "parse_bearer",
    "use_verifier",
    "verified_email",
]
