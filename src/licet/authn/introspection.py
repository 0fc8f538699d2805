"""Opaque tokens, checked by asking their issuer (RFC 7662).

use_verifier(app, IntrospectionVerifier(
    "https://issuer.example/introspect", client_id, client_secret,
    issuer="https://issuer.example", audience="https://api.example",
))
"""

from licet.authn._rfc7662 import IntrospectionVerifier

__all__ = ["IntrospectionVerifier"]
