"""An app's accounts: how a row stands for a caller, so that policies can be asked who may.

    register_accounts(
        app,
        Account,
        principal=Account.principal,
        roles="roles.name",
        active=Account.is_active,
        attributes={"account_id": Account.id, "is_admin": Account.is_admin},
    )

    session.scalars(speakers.who_can(UPDATE, speaker))

Conditions then read the columns of the accounts' table instead of a caller's attributes. What is
said here must be what requests of those accounts have; `licet doctor accounts` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask

from licet.authz.policies._in_sql._who.accounts import (
    Accounts,
    accounts_of,
    read_accounts,
    set_accounts,
)
from licet.errors.names import knows_its_options

__all__ = ["Accounts", "accounts_of", "register_accounts"]


@knows_its_options
def register_accounts(
    app: Flask,
    model: type[Any],
    *,
    principal: Any,
    active: Any,
    roles: Any = None,
    attributes: Mapping[str, Any] | None = None,
    live: Callable[[Any], Any] | None = None,
) -> None:
    """Say which rows are the app's accounts, and what each says of the caller it stands for.

    Each value is a column of the model or its name, an SQL expression, or a constant: True, False,
    an integer, None. A collection is ``"relationship.attribute"``, a SELECT of one column that
    refers to the account, or a mapping of texts to the columns that say whether each is there.

    Args:
        app: the app.
        model: the mapped class.
        principal: ``caller.principal``, by which accounts are told.
        active: whether the account may be used: a column or an expression; True where every account
            may. The others never appear.
        roles: ``caller.roles``, a collection of texts.
        attributes: all else that conditions ask of callers, by name; of a mapping by its path, such
            as ``"claims.department"``. ``is_authenticated`` is True when it is not given.
        live: a function of an account that gives the caller of its requests, for `licet doctor`;
            else the doctor signs the account in by its principal, with a token of the app's own.

    Raises:
        InvalidCondition: the model is not mapped, something does not fit it, or the app has
            accounts already.
    """
    accounts = read_accounts(
        model,
        principal=principal,
        roles=roles,
        active=active,
        attributes=attributes or {},
        live=live,
    )
    set_accounts(app, accounts)
