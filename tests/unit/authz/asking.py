"""Callers and requirements that the tests of requirements share."""

from dataclasses import dataclass, field

from licet.authz import Requirement


@dataclass(frozen=True)
class User:
    """A caller with permissions."""

    name: str = "ann"
    permissions: frozenset = field(default_factory=frozenset)


ADMIN = User("adam", frozenset({"admin", "view"}))
GUEST = User("gus")


@dataclass(frozen=True)
class Has(Requirement):
    """Asks for one permission; equal to others that ask for the same."""

    permission: str

    def fulfill(self, user):
        return self.permission in user.permissions


def is_admin(user):
    return "admin" in user.permissions


def yes(_user):
    return True


def no(_user):
    return False


def broken(user):
    raise LookupError(f"secret of {user}")


async def later(_user):
    return True


def as_coroutine(user):
    return later(user)


class Counting:
    """A requirement that counts how often it was asked."""

    def __init__(self, answer=True):
        self.answer = answer
        self.asked = 0

    def __call__(self, user):
        self.asked += 1
        return self.answer
