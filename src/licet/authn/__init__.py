"""Who is calling: bearer token in, frozen `Identity` out. Whether they may is `licet.authz`'s."""

from licet.authn.auth_state import AuthState, StateBuilder
from licet.authn.bearer import parse_bearer
from licet.authn.flask import (
    authenticate,
    current_account,
    current_identity,
    embedded_issuer,
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
    "JWTVerifier",
    "KeySource",
    "Standing",
    "StateBuilder",
    "authenticate",
    "current_account",
    "current_identity",
    "embedded_issuer",
    "find_account",
    "parse_bearer",
    "use_verifier",
]
