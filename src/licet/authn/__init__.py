"""Who is calling: bearer token in, frozen `Identity` out. Whether they may is `licet.authz`'s."""

from licet.authn._claims import verified_email
from licet.authn._jwks import ProviderKeys
from licet.authn.auth_state import AuthState, StateBuilder
from licet.authn.bearer import parse_bearer
from licet.authn.chain import IssuerVerifier, TokenVerifier, VerifierChain
from licet.authn.flask import (
    authenticate,
    current_account,
    current_identity,
    embedded_issuer,
    embedded_verifier,
    find_account,
    use_verifier,
)
from licet.authn.identity import ANONYMOUS, Identity
from licet.authn.introspection import IntrospectionVerifier
from licet.authn.issuer import EmbeddedIssuer
from licet.authn.jwt import JWTVerifier, KeySource
from licet.authn.mapping import Standing

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
