"""``licet doctor``: whether an app is configured safely."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final

import click
from flask import Flask
from joserfc.jwk import Key

from licet.authn.issuers import embedded_issuer
from licet.authn.tokens._jwks import ProviderKeys
from licet.authn.tokens._jws import decode_compact
from licet.authn.tokens.chain import TokenVerifier, VerifierChain
from licet.authn.tokens.issuer import EmbeddedIssuer
from licet.authn.tokens.jwt import JWTVerifier
from licet.authn.verifiers import verifier_of
from licet.errors import AuthenticationUnavailable
from licet.extension import require_licet
from licet.ops.doctor.accounts import compare_accounts
from licet.ops.doctor.attacks import Outcome, attack, control
from licet.ops.doctor.forge import Forge
from licet.settings.state import app_state

__all__ = ["doctor"]

_FAILED: Final = 1
_UNREACHABLE: Final = 4
_TYPE_OF: Final = {"access": "at+jwt", "id": "JWT"}


@click.group()
def doctor() -> None:
    """Try whether the app is configured safely."""


@doctor.command()
@click.pass_obj
def tokens(load_app: Callable[[], Flask]) -> None:
    """Attack what checks the app's bearer tokens, and print what came of it.

    Exits with 1 when a forged token was accepted, or not refused in order; with 4 when the issuer
    could not be asked for its keys.
    """
    app = load_app()
    require_licet(app)
    verifier = verifier_of(app)
    codes = [_attacked(verifier, forge) for forge in _forges(app, verifier)]
    sys.exit(_FAILED if _FAILED in codes else max(codes))


@doctor.command()
@click.pass_obj
def migrations(load_app: Callable[[], Flask]) -> None:
    """Compare code and databases, as `licet db check`, and say when they are migrated.

    Exits with 1 when they differ.
    """
    from licet.cli.db.checking import print_report
    from licet.db.models import branches_of

    app = load_app()
    require_licet(app)
    with app.app_context():
        found = [print_report(branch) for branch in branches_of(app).values()]
    if app_state(app).settings.migrate_at_start:
        click.echo("licet's tables are migrated at start (LICET_MIGRATE_AT_START).")
    else:
        click.echo("Nothing is migrated at start: run `licet db upgrade` with each new version.")
    sys.exit(_FAILED if any(found) else 0)


@doctor.command()
@click.option("--sample", default=20, show_default=True, type=click.IntRange(1), help="Accounts.")
@click.pass_obj
def accounts(load_app: Callable[[], Flask], sample: int) -> None:
    """Compare what a sample of account rows says with the callers of their requests.

    Who may do something is asked of the rows. Exits with 1 when something differs.
    """
    found = compare_accounts(load_app(), sample)
    for text in found.differences:
        click.echo(f"  differs     {text}")
    names = ", ".join(".".join(path) for path in found.paths)
    click.echo(
        f"{found.n_accounts} accounts were compared in {names}: {len(found.differences)} differ."
    )
    sys.exit(_FAILED if found.differences else 0)


def _attacked(verifier: TokenVerifier, forge: Forge) -> int:
    """Print what came of every attack; the exit code that it is worth."""
    key = "the issuer's own key" if forge.is_genuine else "a key of the forger's"
    click.echo(f"Tokens of {forge.claims['iss']}, signed with {key}:")
    if forge.is_genuine:
        good = control(verifier, forge)
        _print(good)
        if good.verdict != "accepted":
            click.echo("licet: a good token is not accepted, so nothing can be learnt.", err=True)
            return _FAILED
    outcomes = list(attack(verifier, forge))
    for outcome in outcomes:
        _print(outcome)
    verdicts = [outcome.verdict for outcome in outcomes]
    click.echo(f"{verdicts.count('refused')} of {len(verdicts)} forged tokens were refused.")
    if {"accepted", "failed"} & set(verdicts):
        return _FAILED
    return _UNREACHABLE if "unavailable" in verdicts else 0


def _print(outcome: Outcome) -> None:
    click.echo(f"  {outcome.verdict:11} {outcome.name:40} {outcome.reason}".rstrip())


def _forges(app: Flask, verifier: TokenVerifier) -> Iterator[Forge]:
    """One for each issuer whose JWTs the app may take; for opaque tokens, an unknown issuer's."""
    chained = verifier.by_issuer.values() if isinstance(verifier, VerifierChain) else ()
    for each in chained or (verifier,):
        yield _forge(app, verifier, each)


def _forge(app: Flask, whole: TokenVerifier, each: TokenVerifier) -> Forge:
    settings = app_state(app).settings
    issuer = getattr(each, "issuer", None)
    if settings.embedded_issuer and issuer in (settings.issuer, None):
        forge = _local(embedded_issuer(app))
        # What names no issuer is not expected to take the embedded one's tokens.
        if issuer is not None or control(whole, forge).verdict == "accepted":
            return forge
    if isinstance(each, JWTVerifier):
        return _foreign(each)
    return Forge.with_own_key(issuer=issuer or settings.issuer, audience=settings.audience)


def _local(issuer: EmbeddedIssuer) -> Forge:
    token = issuer.mint("licet-doctor", ["licet-doctor"])
    key = issuer.key(decode_compact(token).header["kid"])
    assert key is not None  # noqa: S101 - it signed a moment ago
    return Forge.of_token(token, key)


def _foreign(verifier: JWTVerifier) -> Forge:
    return Forge.with_own_key(
        issuer=verifier.issuer,
        audience=verifier.audience,
        algorithm=verifier.algorithms[0],
        typ=_TYPE_OF[verifier.token_use],
        published=_a_published_key(verifier),
        has_strict_type=not verifier.takes_plain_type,
    )


def _a_published_key(verifier: JWTVerifier) -> Key | None:
    if not isinstance(verifier.keys, ProviderKeys):
        return None
    try:
        return next(iter(verifier.keys.published().values()), None)
    except AuthenticationUnavailable:
        return None
