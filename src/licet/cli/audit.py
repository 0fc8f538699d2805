"""``licet audit``: who may call each endpoint, and which say nothing of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from flask import Flask

from licet.authz.declared.audit import undeclared
from licet.authz.declared.declarations import Declaration, declarations
from licet.authz.declared.marks import Access
from licet.errors import UndeclaredEndpoint, UndeclaredEndpoints

__all__ = ["audit"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, for scripts.")
@click.pass_obj
def audit(load_app: Callable[[], Flask], as_json: bool) -> None:
    """Print who may call each endpoint.

    Exit codes: 0 every endpoint says so, 1 some do not, 2 wrong usage.
    """
    try:
        found = declarations(load_app())
    except UndeclaredEndpoints as refused:  # the app protects itself, and is not to be had
        found = [_declaration(one) for one in refused.endpoints]
    offenders = undeclared(found)
    if as_json:
        click.echo(json.dumps({"endpoints": [_as_dict(one) for one in found]}))
    else:
        click.echo(_table(found))
    if offenders:
        click.echo(f"licet: {UndeclaredEndpoints(offenders)}", err=True)
        sys.exit(1)


def _declaration(offender: UndeclaredEndpoint) -> Declaration:
    return Declaration(
        endpoint=offender.endpoint,
        rule=offender.rule,
        methods=offender.methods,
        access=(),
        location=offender.location,
        remarks=offender.remarks,
    )


def _as_dict(one: Declaration) -> dict[str, Any]:
    return {
        "endpoint": one.endpoint,
        "rule": one.rule,
        "methods": one.methods,
        "access": [_access_as_dict(access) for access in one.access],
        "declared": bool(one.access),
        "location": one.location,
        "remarks": one.remarks,
    }


def _access_as_dict(access: Access) -> dict[str, str | None]:
    return {"kind": access.kind.value, "text": access.text, "resource": access.resource}


def _table(found: list[Declaration]) -> str:
    """Columns as wide as their longest cell, the last one free."""
    rows = [("rule", "methods", "endpoint", "access")]
    rows += [(one.rule, ", ".join(one.methods), one.endpoint, _told(one)) for one in found]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def _told(one: Declaration) -> str:
    return ", then ".join(access.text for access in one.access) or "UNDECLARED"
