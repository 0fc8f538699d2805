"""Apps whose bearer tokens are checked in different ways."""

from flask import Flask

from licet.authn import (
    Identity,
    JWTVerifier,
    ProviderKeys,
    VerifierChain,
    embedded_issuer,
    embedded_verifier,
    use_verifier,
)
from licet.errors import InvalidToken

FOREIGN = {"audience": "https://service.example", "algorithms": {"ES256"}}


class _Always:
    """Gives the same answer to every token."""

    def __init__(self, error=None):
        self.error = error

    def verify(self, token):
        if self.error:
            raise self.error
        return Identity(issuer="x", subject="x", principal="urn:x")


def _app(verifier):
    app = Flask(__name__)
    use_verifier(app, verifier)
    return app


def credulous():
    return _app(_Always())


def crashing():
    return _app(_Always(KeyError("kid")))


def refusing():
    return _app(_Always(InvalidToken()))


def mistaken():
    app = Flask(__name__)
    issuer = embedded_issuer(app)
    use_verifier(app, JWTVerifier(issuer=issuer.issuer, keys=issuer, **FOREIGN))
    return app


def opaque_only():
    return _app(VerifierChain(opaque=_Always(InvalidToken())))


def unreachable():
    return _app(JWTVerifier(issuer="http://127.0.0.1:9", **FOREIGN))


def foreign(url):
    keys = ProviderKeys(url)
    return _app(JWTVerifier(issuer=url, keys=keys, token_use="id", **FOREIGN))


class _NoKeys:
    def key(self, kid):
        return None


def both():
    app = Flask(__name__)
    theirs = JWTVerifier(issuer="https://other.example", keys=_NoKeys(), **FOREIGN)
    use_verifier(app, VerifierChain(embedded_verifier(app), theirs))
    return app
