"""The ``LICET_*`` settings: where each comes from, and what it is when nobody says.

`app.config` wins over the environment, the environment over the default. Everything is read once,
when licet first touches the app; a malformed value is a `ConfigurationError` that names it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from licet.errors import ConfigurationError

__all__ = ["DEFAULT_ISSUER", "AccountSettings", "ProviderSettings", "Settings"]

DEFAULT_ISSUER: Final = "http://localhost:8000"
_PROVIDER_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
DEFAULT_BROKER: Final = "redis://localhost:6379/0"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decided.

    `database_url` is a SQLAlchemy URL; `issuer` and `audience` are the ``iss`` and ``aud`` of
    local tokens; `public_url` is where clients reach the service; `instance_path` is where the
    SQLite file and the signing keys live; with `protect`, an app with `Licet` answers no request
    while an endpoint of it is undeclared.

    `dispatch` is how workers are told of actions: ``threads`` of this process, or ``celery``
    through `broker_url`. `worker_threads` is how many actions a process runs at once, 0 for none;
    `stop_seconds` how long running steps may take when it stops; `max_waiting` how many requests
    at once may wait for an action.
    """

    instance_path: Path
    database_url: str
    issuer: str
    audience: str
    public_url: str
    embedded_issuer: bool
    migrate_at_start: bool
    access_token_seconds: int
    max_body_bytes: int
    protect: bool
    dispatch: str
    broker_url: str = field(repr=False)
    worker_threads: int
    stop_seconds: int
    max_result_bytes: int
    max_waiting: int
    accounts: AccountSettings
    providers: tuple[ProviderSettings, ...] = ()

    @classmethod
    def read(
        cls,
        config: Mapping[str, Any],
        instance_path: Path,
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        """Take every setting from the app's config, else the environment, else the default."""
        source = _Source(config, os.environ if environ is None else environ)
        issuer = source.url("LICET_ISSUER", DEFAULT_ISSUER).rstrip("/")
        return cls(
            instance_path=Path(source.text("LICET_INSTANCE_PATH", str(instance_path))),
            database_url=source.text("LICET_DATABASE_URL", ""),
            issuer=issuer,
            audience=source.text("LICET_AUDIENCE", issuer),
            public_url=source.url("LICET_PUBLIC_URL", issuer).rstrip("/"),
            embedded_issuer=source.flag("LICET_EMBEDDED_ISSUER", default=True),
            migrate_at_start=source.flag("LICET_MIGRATE_AT_START", default=True),
            access_token_seconds=source.positive("LICET_ACCESS_TOKEN_SECONDS", 900),
            max_body_bytes=source.positive("LICET_MAX_BODY_BYTES", 1024 * 1024),
            protect=source.flag("LICET_PROTECT", default=True),
            dispatch=source.choice("LICET_DISPATCH", ("threads", "celery")),
            broker_url=source.text("LICET_BROKER_URL", DEFAULT_BROKER),
            worker_threads=source.count("LICET_WORKER_THREADS", 8),
            stop_seconds=source.positive("LICET_STOP_SECONDS", 10),
            max_result_bytes=source.positive("LICET_MAX_RESULT_BYTES", 256 * 1024),
            max_waiting=source.count("LICET_MAX_WAITING", 4),
            accounts=AccountSettings.read(source),
            providers=_providers(source, issuer),
        )


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """What the operator decided about local accounts.

    `session_seconds` is how long a sign-in lasts; `cookie_secure` is off for plain HTTP only;
    `smtp_url` is empty when mails are written to the instance folder; `scopes` may be asked for
    beside those of the app's providers; `throttle_storage_url` is empty when each process counts
    attempts by network address for itself.
    """

    enabled: bool
    session_seconds: int
    cookie_secure: bool
    smtp_url: str = field(repr=False)
    mail_from: str
    scopes: tuple[str, ...]
    throttle_storage_url: str = field(repr=False)

    @classmethod
    def read(cls, source: _Source) -> AccountSettings:
        """Take them as `Settings.read` does."""
        return cls(
            enabled=source.flag("LICET_ACCOUNTS", default=False),
            session_seconds=source.positive("LICET_SESSION_SECONDS", 30 * 24 * 3600),
            cookie_secure=source.flag("LICET_COOKIE_SECURE", default=True),
            smtp_url=source.text("LICET_SMTP_URL", ""),
            mail_from=source.text("LICET_MAIL_FROM", "licet@localhost"),
            scopes=tuple(source.text("LICET_ACCOUNT_SCOPES", "").split()),
            throttle_storage_url=source.text("LICET_THROTTLE_STORAGE_URL", ""),
        )


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """What the operator decided about one foreign OpenID provider.

    With a `client_id` people sign in there; with an `audience` its access tokens are taken. `label`
    is what the button says; `groups_are_local` and `takes_plain_type` are `JWTVerifier`'s.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    audience: str
    algorithms: tuple[str, ...]
    scopes: tuple[str, ...]
    takes_plain_type: bool
    groups_are_local: bool

    @classmethod
    def read(cls, source: _Source, name: str, prefix: str) -> ProviderSettings:
        """Take the settings that start with `prefix`.

        Raises:
            ConfigurationError: one is missing or malformed.
        """
        found = cls(
            name=name,
            label=source.text(f"{prefix}LABEL", name.replace("_", " ").capitalize()),
            issuer=source.url(f"{prefix}ISSUER", ""),
            client_id=source.text(f"{prefix}CLIENT_ID", ""),
            client_secret=source.text(f"{prefix}CLIENT_SECRET", ""),
            audience=source.text(f"{prefix}AUDIENCE", ""),
            algorithms=tuple(source.text(f"{prefix}ALGORITHMS", "RS256").split()),
            scopes=tuple(source.text(f"{prefix}SCOPES", "openid email profile").split()),
            takes_plain_type=source.flag(f"{prefix}TAKES_PLAIN_TYPE", default=False),
            groups_are_local=source.flag(f"{prefix}GROUPS_ARE_LOCAL", default=False),
        )
        if not (found.client_id or found.audience):
            raise ConfigurationError(
                f"The provider {name!r} is of no use yet: set {prefix}CLIENT_ID to have people "
                f"sign in there, {prefix}AUDIENCE to take its access tokens, or both."
            )
        if "openid" not in found.scopes:
            raise ConfigurationError(f"{prefix}SCOPES lacks openid: without it nobody is named.")
        return found


def _providers(source: _Source, own_issuer: str) -> tuple[ProviderSettings, ...]:
    """The one provider of ``LICET_OIDC_…``, or those of ``LICET_OIDC_PROVIDERS``."""
    names = source.text("LICET_OIDC_PROVIDERS", "").split()
    single = [f"LICET_OIDC_{key}" for key in ("ISSUER", "CLIENT_ID", "AUDIENCE")]
    given = [name for name in single if source.text(name, "")]
    if given and names:
        raise ConfigurationError(
            f"{given[0]} is set beside LICET_OIDC_PROVIDERS: then each provider has settings of "
            f"its own, such as LICET_OIDC_{names[0].upper()}_ISSUER."
        )
    if wrong := [name for name in names if not _PROVIDER_NAME.fullmatch(name)]:
        raise ConfigurationError(
            f"LICET_OIDC_PROVIDERS has {wrong[0]!r}: a name is a lower-case letter, then letters, "
            "digits and underscores, at most 32."
        )
    if len(set(names)) != len(names):
        raise ConfigurationError("LICET_OIDC_PROVIDERS has a name twice.")
    read = ProviderSettings.read
    found = tuple(read(source, name, f"LICET_OIDC_{name.upper()}_") for name in names)
    if given:
        found = (read(source, "oidc", "LICET_OIDC_"),)
    if own_issuer in {provider.issuer for provider in found}:
        raise ConfigurationError(
            f"A foreign provider has the issuer {own_issuer!r}, which is LICET_ISSUER: its people "
            "would be taken for local ones."
        )
    return found


@dataclass(frozen=True)
class _Source:
    config: Mapping[str, Any]
    environ: Mapping[str, str]

    def value(self, name: str) -> Any:
        found = self.config.get(name)
        return self.environ.get(name) if found is None else found

    def text(self, name: str, default: str) -> str:
        found = self.value(name)
        return default if found is None or found == "" else str(found)

    def url(self, name: str, default: str) -> str:
        found = self.text(name, default)
        parts = urlsplit(found)
        if parts.scheme not in ("http", "https") or not parts.netloc or not found.isprintable():
            raise ConfigurationError(f"{name} is {found!r}: write an http or https URL.")
        return found

    def flag(self, name: str, *, default: bool) -> bool:
        found = self.value(name)
        if found is None or isinstance(found, bool):
            return default if found is None else found
        text = str(found).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ConfigurationError(f"{name} is {found!r}: write true or false.")
        return text in _TRUE

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        found = self.text(name, allowed[0])
        if found not in allowed:
            raise ConfigurationError(f"{name} is {found!r}: write {' or '.join(allowed)}.")
        return found

    def count(self, name: str, default: int) -> int:
        found = self.value(name)
        if found in (0, "0") and not isinstance(found, bool):
            return 0
        return self.positive(name, default)

    def positive(self, name: str, default: int) -> int:
        found = self.value(name)
        try:
            number = default if found is None else int(found)
        except (TypeError, ValueError, OverflowError):
            number = 0
        if isinstance(found, bool | float):  # int() takes them, and cuts
            number = 0
        if number <= 0:
            raise ConfigurationError(f"{name} is {found!r}: write a whole number above 0.")
        return number
