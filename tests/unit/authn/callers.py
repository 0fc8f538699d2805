"""A verifier of the tests' own: every token is the name of who calls."""

from dataclasses import dataclass, field

from licet.authn import Identity
from licet.authn.identity import identity_principal
from licet.errors import InvalidToken

ISSUER = "https://issuer.example"


@dataclass
class Names:
    """Takes any token but ``bad``, and counts."""

    roles: frozenset = frozenset()
    seen: list = field(default_factory=list)

    def verify(self, token):
        self.seen.append(token)
        if token == "bad":
            raise InvalidToken
        principal = identity_principal(ISSUER, token)
        return Identity(issuer=ISSUER, subject=token, principal=principal, roles=self.roles)


def by(name):
    """The header of a request by that name."""
    return {"Authorization": f"Bearer {name}"}
