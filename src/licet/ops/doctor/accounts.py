"""Whether account rows say of callers what requests of those accounts have.

Of a sample of rows every attribute that the app's policies ask for is compared: what
`register_accounts` reads from the row, and what the caller of a request has. Who may do something
is asked of the rows, so a difference is a wrong answer there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from licet.authn.issuers import embedded_issuer
from licet.authz._moment import in_utc
from licet.authz.accounts import Accounts, accounts_of
from licet.authz.callers.nobody import is_nobody
from licet.authz.flask import current_caller, current_session, policies_of
from licet.authz.policies._in_sql._who.accounts import Constant, Said, Scalar
from licet.authz.policies._in_sql._who.find import paths_asked
from licet.authz.policies._models.callers import read_caller
from licet.authz.policies.verbs import Verb
from licet.errors import AccessDenied, AuthenticationError, ConfigurationError

__all__ = ["Comparison", "compare_accounts"]

_LOCAL: Final = "urn:licet:identity:"
Path = tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """How many accounts were looked at, in which attributes, and what differs, a line each."""

    n_accounts: int
    paths: tuple[Path, ...]
    differences: tuple[str, ...]


def compare_accounts(app: Flask, n_accounts: int = 20) -> Comparison:
    """The comparison of so many rows, chosen by chance.

    Raises:
        ConfigurationError: the app has no accounts, or no account can be signed in.
    """
    accounts = accounts_of(app)
    asked = {
        path
        for policy in policies_of(app)
        for name in policy.verbs
        for path in paths_asked(
            policy.check(Verb(name)).condition, policy.shape, naive_as_utc=policy.naive_as_utc
        )
    }
    paths = tuple(sorted({*asked, ("principal",)}))
    unknown = [path for path in paths if path not in accounts.said]
    told = [f"caller.{'.'.join(path)} is asked for, and no row says it" for path in unknown]
    with app.test_request_context():
        keys = _sample(accounts, current_session(), n_accounts)
    known = [path for path in paths if path in accounts.said]
    for key in keys:
        told.extend(f"account {_told(key)}: {text}" for text in _differences(app, key, known))
    return Comparison(len(keys), paths, tuple(told))


def _sample(accounts: Accounts, session: Session, limit: int) -> list[tuple[Any, ...]]:
    keys = sa.inspect(accounts.model).primary_key
    chosen = sa.select(*keys).order_by(sa.func.random()).limit(limit)
    return [tuple(key) for key in session.execute(chosen)]


def _differences(app: Flask, key: tuple[Any, ...], paths: list[Path]) -> Iterator[str]:
    accounts = accounts_of(app)
    with app.test_request_context():
        session = current_session()
        row = _Row(accounts, key, session)
        is_active, principal = row.is_active(), row.value(accounts.principal)
        said = {path: row.value(accounts.said[path]) for path in paths}
    with app.test_request_context(headers=_headers(app, accounts, str(principal))):
        caller = _caller(accounts, key)
        if is_nobody(caller) is is_active:
            how = "refused" if is_active else "taken"
            yield f"it is {'' if is_active else 'not '}active by its row, and its caller is {how}"
        elif is_active:
            for path in paths:
                found, kept = (
                    _comparable(read_caller(caller, path), accounts.said[path]),
                    said[path],
                )
                if type(found) is not type(kept) or found != kept:
                    name = ".".join(path)
                    yield f"caller.{name} is {_shown(found)}, by its row {_shown(kept)}"


def _headers(app: Flask, accounts: Accounts, principal: str) -> dict[str, str]:
    if accounts.live is not None:
        return {}
    if not principal.startswith(_LOCAL):
        raise ConfigurationError(
            f"The doctor cannot sign in {principal!r}, no principal of the app's own issuer: give "
            "register_accounts(…, live=…), a function of an account that gives its caller."
        )
    token = embedded_issuer(app).mint_for(principal.removeprefix(_LOCAL), [], {})
    return {"Authorization": f"Bearer {token}"}


def _caller(accounts: Accounts, key: tuple[Any, ...]) -> Any:
    """Who a request of the account's is by; None when it is refused."""
    if accounts.live is not None:
        return accounts.live(current_session().get(accounts.model, key))
    try:
        return current_caller()
    except (AccessDenied, AuthenticationError):
        return None


@dataclass(frozen=True)
class _Row:
    """What one account's row says."""

    accounts: Accounts
    key: tuple[Any, ...]
    session: Session

    def is_active(self) -> bool:
        return self._only(self.accounts.statement()).first() is not None

    def value(self, said: Said) -> Any:
        """The attribute's value; of a collection its members."""
        if isinstance(said, Constant):
            return said.value
        if isinstance(said, Scalar):
            found = self._only(sa.select(said.expression).select_from(self.accounts.model)).one()
            return in_utc(found[0])
        return frozenset(row[0] for each in said.lists for row in self._only(each)) - {None}

    def _only(self, statement: sa.Select[Any]) -> sa.Result[Any]:
        columns = sa.inspect(self.accounts.model).primary_key
        is_this = (column == value for column, value in zip(columns, self.key, strict=True))
        return self.session.execute(statement.where(*is_this))


def _comparable(found: Any, said: Said) -> Any:
    if isinstance(said, Scalar | Constant):
        return in_utc(found)
    return frozenset(found or ()) - {None}


def _shown(value: Any) -> str:
    """The value, where it can be no secret."""
    if value is None or isinstance(value, bool | int):
        return repr(value)
    return f"{len(value)} members" if isinstance(value, frozenset) else "another value"


def _told(key: tuple[Any, ...]) -> str:
    return ",".join(map(str, key))
