"""Who may call an operation, as the document says it: ``security``, and ``x-licet-access``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from flask import Flask

from licet.authn.verifiers import has_authentication
from licet.authn.web.cookies import CSRF_HEADER, session_cookie_name
from licet.authz.callers.asking import policies_of
from licet.authz.declared.marks import Access, AccessKind
from licet.authz.policies.conditions import NEVER
from licet.authz.policies.fields import Fields
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.wire.described import PAGE, Described, Parameter

__all__ = [
    "OWN",
    "access_words",
    "never_shown",
    "never_written",
    "security_of",
    "security_schemes",
    "with_csrf",
    "with_own_scheme",
]

BEARER: Final = "bearer"
COOKIE: Final = "cookie"
OWN: Final = "app"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CSRF: Final = Parameter(
    name=CSRF_HEADER,
    place="header",
    description="The csrf_token of the session, where a cookie says who asks.",
)


def never_written(policy: Policy | None) -> frozenset[str]:
    """The fields that a policy lets nobody write, on no object."""
    return frozenset() if policy is None else _never(policy.written)


def never_shown(policy: Policy) -> frozenset[str]:
    """The fields that a policy lets nobody see, on no object."""
    return _never(policy.shown)


def _never(fields: Fields) -> frozenset[str]:
    rules = fields.rules
    return frozenset().union(*(names for names, check in rules if check.condition is NEVER))


def access_words(access: Iterable[Access]) -> list[dict[str, Any]]:
    """What the audit knows of an operation's access, the outermost guard first."""
    found = []
    for one in access:
        words: dict[str, Any] = {"kind": one.kind.value, "text": one.text}
        if one.resource is not None:
            words["resource"] = one.resource
        found.append(words)
    return found


def security_schemes(app: Flask) -> dict[str, Any]:
    """How callers of the app show who they are, by name; none where it checks no tokens."""
    found: dict[str, Any] = {}
    if has_authentication(app):
        told = "A token of an issuer that /.well-known/oauth-protected-resource names."
        found[BEARER] = {"type": "http", "scheme": "bearer", "description": told}
    name = session_cookie_name(app)
    if name is not None:
        told = "The session of a browser. Requests that change something send X-CSRF-Token as well."
        found[COOKIE] = {"type": "apiKey", "in": "cookie", "name": name, "description": told}
    return found


def security_of(
    app: Flask, access: tuple[Access, ...], described: Described | None, schemes: Iterable[str]
) -> list[dict[str, list[str]]]:
    """The ways to be let in; an empty one stands for nobody."""
    scopes = list(described.scopes) if described is not None else []
    is_bearer_only = described is not None and described.takes_no_cookie
    known = [BEARER] if is_bearer_only else [BEARER, COOKIE]
    ways: list[dict[str, list[str]]] = [
        {name: scopes if name == BEARER else []} for name in known if name in schemes
    ]
    if may_be_nobody(app, access, described):
        return [{}, *ways]
    return ways or [{OWN: []}]  # none at all would tell that everybody is let in


def with_own_scheme(app: Flask, schemes: Mapping[str, Any]) -> dict[str, Any]:
    """The schemes, and the one of an app that signs its callers in by itself."""
    told = "How the app itself knows its callers, most often by the session of Flask."
    name = app.config["SESSION_COOKIE_NAME"]
    own = {"type": "apiKey", "in": "cookie", "name": name, "description": told}
    return {**schemes, OWN: own}


def with_csrf(described: Described, method: str, schemes: Iterable[str]) -> Described:
    """What is known of an operation, with the token that changes by a browser's session send."""
    is_asked = method not in _SAFE and COOKIE in schemes and not described.takes_no_cookie
    if not is_asked or described.errors == PAGE:  # whose forms have it
        return described
    refused = {} if described.may_be_nobody else {403: "X-CSRF-Token is missing, or another's."}
    refusals = {**refused, **described.refusals}
    return replace(described, parameters=(*described.parameters, _CSRF), refusals=refusals)


def may_be_nobody(app: Flask, access: tuple[Access, ...], described: Described | None) -> bool:
    """Whether somebody who is not signed in may be let in; yes, where that is not known."""
    if described is not None and described.may_be_nobody is not None:
        return described.may_be_nobody
    return all(_admits_nobody(app, one) for one in access)


def _admits_nobody(app: Flask, access: Access) -> bool:
    if access.kind in (AccessKind.AUTHENTICATED, AccessKind.ACTION):
        return False
    if access.kind is not AccessKind.POLICY:
        return True
    policy = next((one for one in policies_of(app) if one.name == access.resource), None)
    verb = access.text.rpartition(" ")[2]
    return policy is None or verb not in policy.verbs or _may_allow_nobody(policy, Verb(verb))


def _may_allow_nobody(policy: Policy, verb: Verb) -> bool:
    """Whether some grant of the verb is one that a caller who is nobody may have."""
    try:
        return policy.may_allow(_Nobody(), verb)
    except Exception:  # noqa: BLE001 - of an app's own condition, which asks for more of its callers
        return True


class _Nobody:
    """A caller who has no attribute but that they are not signed in."""

    is_authenticated = False
